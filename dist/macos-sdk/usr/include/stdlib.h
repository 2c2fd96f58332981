#include <stddef.h>
void abort(void) __attribute__((noreturn));
