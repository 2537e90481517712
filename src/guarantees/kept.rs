//! The form in which what was found out is kept.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::Guarantees;
use crate::port::Notes;

/// The number of the form. Another one is not read: everything is found out again.
const FORMAT: u32 = 1;

/// How long something counts that has not been seen again: servers are replaced by newer ones.
pub const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    control_plane: String,
    #[serde(flatten)]
    guarantees: Guarantees,
}

/// What is known by now. Notes that cannot be read, or are of another control plane, are none.
pub fn recall(notes: &dyn Notes, control_plane: &str, now: Timestamp) -> Guarantees {
    let kept = notes.read(control_plane).and_then(|text| serde_json::from_str::<Kept>(&text).ok());
    let kept = kept.filter(|kept| kept.format == FORMAT && kept.control_plane == control_plane);
    let mut guarantees = kept.map(|kept| kept.guarantees).unwrap_or_default();
    guarantees.forget_before(now.checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN));
    guarantees
}

/// Keeps what is known, together with what another process saw meanwhile.
pub fn keep(notes: &dyn Notes, control_plane: &str, guarantees: &mut Guarantees, now: Timestamp) {
    guarantees.merge(recall(notes, control_plane, now));
    let control_plane = control_plane.to_owned();
    let kept = Kept { format: FORMAT, control_plane, guarantees: guarantees.clone() };
    if let Ok(text) = serde_json::to_string_pretty(&kept) {
        notes.write(&kept.control_plane, &text);
    }
}
