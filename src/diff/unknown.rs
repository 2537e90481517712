//! What survives a read-modify-write: fields we do not know, and fields the control plane fills in.

use buffa_descriptor::reflect::{DynamicMessage, ReflectMessage, Value};
use flyte_schema::flyteidl2::app::App;

/// `desired`, over whatever of `live` is not ours to set: unknown fields at every depth, other people's labels, the
/// creator and what the platform built. A message that cannot be reflected is sent as it is.
pub fn carry_unknown(mut desired: App, live: &App) -> App {
    let metadata = desired.metadata.get_or_insert_default();
    for (key, value) in &live.metadata.labels {
        metadata.labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let spec = desired.spec.get_or_insert_default();
    if !spec.creator.is_set() {
        spec.creator = live.spec.creator.clone();
    }
    if !spec.images.is_set() {
        spec.images = live.spec.images.clone();
    }
    let carried = || {
        let mut to = flyte_schema::to_dynamic(&desired).ok()?;
        let from = flyte_schema::to_dynamic(live).ok()?;
        for part in ["metadata", "spec"] {
            let number = to.message_descriptor().fields().iter().find(|field| field.name() == part)?.number();
            if let (Some(Value::Message(to)), Some(Value::Message(from))) =
                (to.field_by_number_mut(number), from.field_by_number(number))
            {
                carry(to, from)?;
            }
        }
        to.to_message::<App>().ok()
    };
    carried().unwrap_or(desired)
}

fn carry(to: &mut DynamicMessage, from: &DynamicMessage) -> Option<()> {
    if to.message_index() != from.message_index() {
        return Some(());
    }
    let mut bytes = Vec::new();
    from.unknown_fields().write_to(&mut bytes);
    if to.unknown_fields().is_empty() && !bytes.is_empty() {
        to.merge(&bytes).ok()?;
    }
    let numbers: Vec<u32> = to.message_descriptor().fields().iter().map(|field| field.number()).collect();
    for number in numbers {
        if let (Some(Value::Message(to)), Some(Value::Message(from))) =
            (to.field_by_number_mut(number), from.field_by_number(number))
        {
            carry(to, from)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use buffa::{Message, MessageField};
    use flyte_schema::flyteidl2::app::Spec;
    use flyte_schema::flyteidl2::core::Container;

    use super::*;

    /// Field 900, a varint, in front of what a message encodes to.
    fn with_unknown(bytes: &[u8]) -> Vec<u8> {
        [&[0xa0, 0x38, 0x07], bytes].concat()
    }

    fn app(image: &str) -> App {
        let container = Container { image: image.into(), ..Default::default() };
        let spec = Spec { app_payload: Some(container.into()), ..Default::default() };
        App { spec: MessageField::some(spec), ..Default::default() }
    }

    #[test]
    fn unknown_fields_survive_at_depth() {
        let container = Container { image: "old".into(), ..Default::default() };
        let newer = Container::decode_from_slice(&with_unknown(&container.encode_to_vec())).unwrap();
        let spec = Spec { app_payload: Some(newer.into()), ..Default::default() };
        let spec = Spec::decode_from_slice(&with_unknown(&spec.encode_to_vec())).unwrap();
        let live = App { spec: MessageField::some(spec), ..Default::default() };

        let sent = carry_unknown(app("new"), &live);
        let count = |bytes: Vec<u8>| bytes.windows(3).filter(|window| *window == [0xa0, 0x38, 0x07]).count();
        assert_eq!(count(sent.encode_to_vec()), 2);
        assert_eq!(crate::model::spec::image(&sent.spec), Some("new"));
        // Carrying twice adds nothing.
        assert_eq!(carry_unknown(sent.clone(), &live), sent);
    }
}
