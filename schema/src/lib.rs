//! The Flyte wire messages and services, and the schema of the manifest.
//!
//! The protos below `flyteidl2/` are compiled to [`flyteidl2`], one module per package. Messages keep
//! fields they do not know at every depth, so what is read, changed and written back loses nothing.

#![allow(refining_impl_trait_internal, refining_impl_trait_reachable)]

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use buffa::{DecodeError, Message, MessageName};
use buffa_descriptor::{
    DescriptorPool, DynamicMessage, DynamicMessageSeed, MessageIndex,
    generated::descriptor::{DescriptorProto, FileDescriptorSet},
};
use serde::de::DeserializeSeed;
use serde_json::Value;

connectrpc::include_generated!();

/// The schema of the manifest: every key, its type, default and documentation.
pub const MANIFEST_KDL: &str = include_str!("../manifest.kdl");

/// The encoded `FileDescriptorSet` of all protos of this crate and their imports.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

static POOL: LazyLock<Arc<DescriptorPool>> = LazyLock::new(|| {
    let mut set = FileDescriptorSet::decode_from_slice(DESCRIPTOR_SET).expect("the embedded descriptor set decodes");
    for file in &mut set.file {
        file.message_type.iter_mut().for_each(keep_field_names);
    }
    Arc::new(DescriptorPool::new(set).expect("the embedded descriptor set links"))
});

/// Makes the JSON name of every field its proto name (`desired_state`, not `desiredState`).
fn keep_field_names(message: &mut DescriptorProto) {
    for field in &mut message.field {
        field.json_name.clone_from(&field.name);
    }
    message.nested_type.iter_mut().for_each(keep_field_names);
}

/// The descriptors of all messages. JSON written and read through this pool uses proto field names.
#[must_use]
pub fn descriptor_pool() -> &'static Arc<DescriptorPool> {
    &POOL
}

/// Why a message could not be read from, or shown as, JSON or reflection.
#[derive(Debug)]
pub enum Error {
    /// The type is not described in this crate.
    UnknownType(&'static str),
    /// The JSON does not fit the message: an unknown key, a wrong type, a value out of range.
    Json(serde_json::Error),
    /// The bytes of the message do not fit its description.
    Decode(DecodeError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(name) => write!(f, "no description of the message {name}"),
            Self::Json(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

fn index<M: MessageName>() -> Result<MessageIndex, Error> {
    POOL.message_index(M::FULL_NAME).ok_or(Error::UnknownType(M::FULL_NAME))
}

/// The message as a reflective value, with its unknown fields.
///
/// # Errors
/// When the message nests deeper than the decoder allows.
pub fn to_dynamic<M: Message + MessageName>(message: &M) -> Result<DynamicMessage, Error> {
    DynamicMessage::try_from_message_with_index(message, POOL.clone(), index::<M>()?).map_err(Error::Decode)
}

/// Canonical protobuf JSON with proto field names. Unknown fields have no JSON form and are left out.
///
/// # Errors
/// When the message cannot be expressed: nested too deep, a duration or timestamp out of range.
pub fn to_json<M: Message + MessageName>(message: &M) -> Result<Value, Error> {
    serde_json::to_value(to_dynamic(message)?).map_err(Error::Json)
}

/// Reads what [`to_json`] writes. Unknown keys, camelCase ones among them, are errors.
///
/// # Errors
/// When the value does not fit the message.
pub fn from_json<M: Message + MessageName>(value: Value) -> Result<M, Error> {
    let seed = DynamicMessageSeed::new(POOL.clone(), index::<M>()?);
    let dynamic = seed.deserialize(value).map_err(Error::Json)?;
    dynamic.to_message().map_err(Error::Decode)
}

/// Like [`from_json`], from text: errors carry line and column.
///
/// # Errors
/// When the text is not JSON or does not fit the message.
pub fn from_json_str<M: Message + MessageName>(text: &str) -> Result<M, Error> {
    DynamicMessage::from_json(POOL.clone(), index::<M>()?, text)
        .map_err(Error::Json)?
        .to_message()
        .map_err(Error::Decode)
}

#[cfg(test)]
mod tests;
