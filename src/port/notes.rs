//! What is remembered of a control plane from one run to the next. It may vanish at any time.

/// Notes by the name of the control plane.
pub trait Notes: Send + Sync {
    fn read(&self, control_plane: &str) -> Option<String>;

    /// Replaces the notes of a control plane. What goes wrong is nobody's matter: they are found out again.
    fn write(&self, control_plane: &str, text: &str);
}
