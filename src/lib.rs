//! nunu-ci.
