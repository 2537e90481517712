//! A control plane over Connect RPC.
