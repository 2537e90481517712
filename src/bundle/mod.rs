//! Which files an app runs, decided by content: chosen, hashed, packed.
