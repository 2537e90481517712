//! The real file system, clock and caches.
