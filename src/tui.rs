//! The full-screen program: terminal guard, event loop, performs effects.
