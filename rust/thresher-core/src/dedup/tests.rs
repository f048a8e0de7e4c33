//! The whole search against brute force.
