//! Replies of every generation, read liberally.
