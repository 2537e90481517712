//! Routes requests to the running processes: one stable loopback URL per app.
