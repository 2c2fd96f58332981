//! Proxy settings from the environment snapshot.
