//! A stored value as the value of a parameter.

use flyte_schema::flyteidl2::core::blob_type::BlobDimensionality;
use flyte_schema::flyteidl2::core::{Literal, Scalar, literal, primitive, scalar};
use flyte_schema::flyteidl2::task::NamedLiteral;

use crate::model::parameter::ParameterKind;

/// Why a stored value cannot be the value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("there is no output {asked}, counted from 0: the run has {there}")]
    NoOutput { asked: u32, there: usize },
    #[error("there is no part {asked}, counted from 0: the list has {there}")]
    NoPart { asked: u32, there: usize },
    #[error("it is {0} and has no parts")]
    NoList(&'static str),
    #[error("it is {0}, not a text, a file or a directory")]
    Kind(&'static str),
    #[error("it is a text, and only files and directories are stored as artifacts for apps")]
    NotStored,
    #[error("it is empty")]
    Empty,
}

/// An output, and then the part of it, by place.
///
/// # Errors
/// There is nothing at that place.
pub fn pick<'a>(outputs: &'a [NamedLiteral], getter: &[u32]) -> Result<&'a Literal, Unfit> {
    let (first, parts) = getter.split_first().unwrap_or((&0, &[]));
    let output = place(outputs, *first).ok_or(Unfit::NoOutput { asked: *first, there: outputs.len() })?;
    parts.iter().try_fold(&*output.value, |literal, &asked| match &plain(literal).value {
        Some(literal::Value::Collection(list)) => {
            place(&list.literals, asked).ok_or(Unfit::NoPart { asked, there: list.literals.len() })
        }
        _ => Err(Unfit::NoList(kind(literal))),
    })
}

fn place<T>(items: &[T], at: u32) -> Option<&T> {
    items.get(usize::try_from(at).ok()?)
}

/// The text or the address.
///
/// # Errors
/// It is of another kind, or empty.
pub fn read(literal: &Literal) -> Result<(ParameterKind, String), Unfit> {
    let (kind, text) = match scalar_of(literal) {
        Some(scalar::Value::Primitive(primitive)) => match &primitive.value {
            Some(primitive::Value::StringValue(text)) => (ParameterKind::Text, text),
            _ => return Err(Unfit::Kind(kind(literal))),
        },
        Some(scalar::Value::Blob(blob)) => match blob.metadata.r#type.dimensionality.as_known() {
            Some(BlobDimensionality::SINGLE) => (ParameterKind::File, &blob.uri),
            Some(BlobDimensionality::MULTIPART) => (ParameterKind::Directory, &blob.uri),
            None => return Err(Unfit::Kind("a kind of storage that is not known here")),
        },
        _ => return Err(Unfit::Kind(kind(literal))),
    };
    if text.is_empty() { Err(Unfit::Empty) } else { Ok((kind, text.clone())) }
}

/// The value itself, where it stands for one of several types.
fn plain(literal: &Literal) -> &Literal {
    match &literal.value {
        Some(literal::Value::Scalar(scalar)) => match &scalar.value {
            Some(scalar::Value::Union(union)) => plain(&union.value),
            _ => literal,
        },
        _ => literal,
    }
}

fn scalar_of(literal: &Literal) -> Option<&scalar::Value> {
    match &plain(literal).value {
        Some(literal::Value::Scalar(scalar)) => {
            let scalar: &Scalar = scalar;
            scalar.value.as_ref()
        }
        _ => None,
    }
}

/// What it is, in words.
fn kind(literal: &Literal) -> &'static str {
    use primitive::Value as P;
    match &plain(literal).value {
        Some(literal::Value::Collection(_)) => "a list",
        Some(literal::Value::Map(_)) => "a mapping",
        Some(literal::Value::OffloadedMetadata(_)) => "a value too large to be told",
        Some(literal::Value::Scalar(scalar)) => match &scalar.value {
            Some(scalar::Value::Primitive(primitive)) => match &primitive.value {
                Some(P::Integer(_)) => "an integer",
                Some(P::FloatValue(_)) => "a number",
                Some(P::StringValue(_)) => "a text",
                Some(P::Boolean(_)) => "a boolean",
                Some(P::Datetime(_)) => "a point in time",
                Some(P::Duration(_)) => "a duration",
                None => "nothing",
            },
            Some(scalar::Value::Blob(_)) => "a file or directory",
            Some(scalar::Value::Binary(_)) => "a structure",
            Some(scalar::Value::NoneType(_)) => "nothing",
            Some(scalar::Value::Union(_)) | None => "a value of another kind",
        },
        None => "nothing",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn outputs(values: &[Value]) -> Vec<NamedLiteral> {
        let one = |(at, value): (usize, &Value)| NamedLiteral {
            name: format!("o{at}"),
            value: flyte_schema::from_json::<Literal>(value.clone()).unwrap().into(),
            ..Default::default()
        };
        values.iter().enumerate().map(one).collect()
    }

    fn text(text: &str) -> Value {
        json!({ "scalar": { "primitive": { "string_value": text } } })
    }

    fn blob(uri: &str, dimensionality: &str) -> Value {
        json!({ "scalar": { "blob": { "uri": uri, "metadata": { "type": { "dimensionality": dimensionality } } } } })
    }

    fn check(values: &[Value], getter: &[u32], expected: Result<(ParameterKind, &str), &str>) {
        let outputs = outputs(values);
        let told = pick(&outputs, getter).and_then(read).map_err(|unfit| unfit.to_string());
        let expected = expected.map(|(kind, text)| (kind, text.to_owned())).map_err(str::to_owned);
        assert_eq!(told, expected);
    }

    #[test]
    fn texts_files_and_directories_are_values() {
        check(&[text("a")], &[0], Ok((ParameterKind::Text, "a")));
        check(&[text("a"), blob("s3://b/f", "SINGLE")], &[1], Ok((ParameterKind::File, "s3://b/f")));
        check(&[blob("s3://b/d", "MULTIPART")], &[0], Ok((ParameterKind::Directory, "s3://b/d")));
        // As protobuf leaves the first value of an enum out.
        let bare = json!({ "scalar": { "blob": { "uri": "s3://b/f" } } });
        check(&[bare], &[0], Ok((ParameterKind::File, "s3://b/f")));
    }

    #[test]
    fn parts_are_found_in_lists_and_unions() {
        let list = json!({ "collection": { "literals": [text("a"), { "collection": { "literals": [text("b")] } }] } });
        check(std::slice::from_ref(&list), &[0, 0], Ok((ParameterKind::Text, "a")));
        check(std::slice::from_ref(&list), &[0, 1, 0], Ok((ParameterKind::Text, "b")));
        let either = json!({ "scalar": { "union": { "value": list } } });
        check(&[either], &[0, 0], Ok((ParameterKind::Text, "a")));
    }

    #[test]
    fn everything_else_says_what_it_is() {
        check(&[], &[0], Err("there is no output 0, counted from 0: the run has 0"));
        check(&[text("a")], &[0, 0], Err("it is a text and has no parts"));
        check(&[text("")], &[0], Err("it is empty"));
        let list = json!({ "collection": { "literals": [] } });
        check(std::slice::from_ref(&list), &[0], Err("it is a list, not a text, a file or a directory"));
        check(&[list], &[0, 2], Err("there is no part 2, counted from 0: the list has 0"));
        let number = json!({ "scalar": { "primitive": { "integer": "7" } } });
        check(&[number], &[0], Err("it is an integer, not a text, a file or a directory"));
        let structure = json!({ "scalar": { "binary": { "tag": "msgpack" } } });
        check(&[structure], &[0], Err("it is a structure, not a text, a file or a directory"));
        check(&[json!({})], &[0], Err("it is nothing, not a text, a file or a directory"));
    }
}
