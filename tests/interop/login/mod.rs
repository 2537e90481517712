//! Logging in, judged by an authorization server made with Authlib and by the published SDK: both read one
//! configuration file, over TLS with a private authority.

mod bed;
mod kinds;
mod renewal;
mod secrecy;
mod trouble;
