//! A manifest from file to deployed app: one function per thing a user can ask for.
