//! Limits are not below requests, and a device is asked for in a part and number that there is.

use std::cmp::Ordering;

use super::super::kubernetes::{self, accelerator};
use super::super::{Node, Table};
use super::{AppView, View};
use crate::diagnostic::{Diagnostic, codes, did_you_mean};
use crate::model::accelerator::{Accelerator, Partitions, known};
use crate::model::quantity::Quantity;
use buffa::Enumeration as _;
use flyte_schema::flyteidl2::core::gpu_accelerator::DeviceClass;

pub fn check(view: &View<'_>) -> Vec<Diagnostic> {
    view.apps.iter().flat_map(of_app).collect()
}

fn of_app(app: &AppView) -> Vec<Diagnostic> {
    let resources = app.table.table("resources");
    let mut findings: Vec<Diagnostic> =
        ["cpu", "memory"].iter().filter_map(|key| over_limit(resources.table(key), key)).collect();
    if let Some(node) = resources.get("gpu") {
        findings.extend(asked(node).err());
        findings.extend(old_spelling(node));
    }
    findings
}

fn over_limit(amount: &Table, key: &str) -> Option<Diagnostic> {
    let bound = |name: &str| {
        let node = amount.get(name)?;
        let text = amount_text(node)?;
        Some((node.span, text.parse::<Quantity>().ok()?, text))
    };
    let ((request_span, request, _), (limit_span, limit, text)) = (bound("request")?, bound("limit")?);
    (request.cmp(&limit) == Ordering::Greater).then(|| {
        Diagnostic::error(codes::MIN_OVER_MAX, format!("`resources.{key}` asks for more than its limit"))
            .label(request_span, "the request")
            .label(limit_span, "the limit")
            .help(format!("raise the limit, or ask for at most `{text}`"))
    })
}

/// A quantity, however it is written.
pub fn amount_text(node: &Node) -> Option<String> {
    node.as_text().map(str::to_owned).or_else(|| node.number_text())
}

/// The accelerator that is asked for by name. `None` for a bare count, and for what is mistaken.
///
/// # Errors
/// When there is no such device, part or number of it.
pub fn asked(node: &Node) -> Result<Option<Accelerator>, Diagnostic> {
    if let Some(text) = node.as_text() {
        // The schema has judged it.
        return Ok(accelerator(text).ok());
    }
    let Some(table) = node.as_table() else { return Ok(None) };
    let (Some(device), Some(name)) = (table.get("device"), table.text("device")) else { return Ok(None) };
    let quantity = match table.get("quantity") {
        Some(node) => match node.as_integer().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => number,
            None => return Ok(None),
        },
        None => 1,
    };
    let partition = table.text("partition").map(str::to_owned);
    let class = table.get("device_class");
    let named_class = class.and_then(Node::as_text).and_then(DeviceClass::from_proto_name);
    let Some(found) = known(name) else {
        let Some(class) = named_class else {
            let fault = kubernetes::device(name).expect_err("it is not known");
            return Err(Diagnostic::error(fault.code, fault.message).label(device.span, fault.label).help(fault.help));
        };
        return Ok(Some(Accelerator { class, device: name.to_owned(), quantity, partition }));
    };
    if let (Some(node), Some(class)) = (class, named_class)
        && class != found.class
    {
        let right = found.class.proto_name();
        return Err(Diagnostic::error(codes::BAD_ACCELERATOR, format!("`{name}` is not of that family"))
            .label(node.span, format!("it is `{right}`"))
            .label(device.span, "a device that flyte knows")
            .help("remove `device_class`"));
    }
    if let Err(fault) = kubernetes::offered(found, quantity) {
        let span = table.get("quantity").map_or(device.span, |node| node.span);
        return Err(Diagnostic::error(fault.code, fault.message).label(span, fault.label).help(fault.help));
    }
    if let (Some(text), Some(node)) = (&partition, table.get("partition")) {
        let refused = |help: String| {
            Diagnostic::error(codes::BAD_ACCELERATOR, format!("`{name}` has no part `{text}`"))
                .label(node.span, "not a part of this device")
                .label(device.span, "the device")
                .help(help)
        };
        match found.partitions {
            Partitions::Any => {}
            Partitions::None => return Err(refused("it comes whole: remove `partition`".to_owned())),
            Partitions::OneOf(parts) if parts.contains(&text.as_str()) => {}
            Partitions::OneOf(parts) => {
                return Err(refused(match did_you_mean(text, parts.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`? It comes in {}", parts.join(", ")),
                    None => format!("it comes in {}", parts.join(", ")),
                }));
            }
        }
    }
    Ok(Some(Accelerator { class: found.class, device: found.name.to_owned(), quantity, partition }))
}

/// Names as they were once written.
fn old_spelling(node: &Node) -> Option<Diagnostic> {
    let node = node.as_table().map_or(Some(node), |table| table.get("device"))?;
    let text = node.as_text()?;
    let name = text.rsplit_once(':').map_or(text, |(name, _)| name);
    let new = known(name)?.name;
    (new != name).then(|| {
        Diagnostic::warning(codes::BAD_ACCELERATOR, format!("`{name}` is an old spelling"))
            .label(node.span, "taken for the new one")
            .help(format!("write `{}`", text.replace(name, new)))
    })
}
