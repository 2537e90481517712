//! A verdict on one live app, tied to the write it follows.
