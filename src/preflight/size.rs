//! The whole spec fits where the open-source server keeps it: base64 in an annotation of the app's Knative service.

use buffa::Message;

use super::Subject;
use crate::desired::Desired;
use crate::diagnostic::{Diagnostic, codes};
use crate::diff::FieldChange;
use crate::plan::Verb;

/// The most bytes of all annotations of an object, names included.
///
/// Source: `TotalAnnotationSizeLimitB` in `k8s.io/apimachinery/pkg/api/validation/objectmeta.go`; that the spec is in
/// an annotation: `buildKService` in `app/internal/k8s/app_client.go` of the open-source server.
const MAX_ANNOTATIONS: usize = 256 << 10;

/// What is left to other annotations, and to the address of the code, which is longer than its placeholder.
const RESERVED: usize = 8 << 10;

pub fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    // The embedded control plane has no such limit, unless it plays the one that has.
    if subject.project.target.is_local() && !subject.is_open_source() {
        return Vec::new();
    }
    let written = subject.written.iter().filter(|(_, verb)| matches!(verb, Verb::Create | Verb::Update));
    written.filter_map(|(desired, _)| too_large(subject, desired)).collect()
}

fn too_large(subject: &Subject<'_>, desired: &Desired) -> Option<Diagnostic> {
    let bytes = desired.spec.spec().encode_to_vec().len();
    let encoded = bytes.div_ceil(3) * 4;
    let limit = MAX_ANNOTATIONS - RESERVED;
    if encoded <= limit {
        return None;
    }
    let name = &desired.id.name;
    let message = format!(
        "the spec of `{name}` takes {} KiB in an annotation, of which Kubernetes allows 256 KiB in all",
        encoded >> 10
    );
    let finding = match subject.is_open_source() {
        true => Diagnostic::error(codes::SPEC_TOO_LARGE, message),
        // Another server may keep it elsewhere.
        false => Diagnostic::warning(codes::SPEC_TOO_LARGE, message),
    };
    let largest = subject.plan.apps.iter().find(|app| app.name == *name).and_then(|app| largest(&app.fields));
    let what = largest.map_or("this app".to_owned(), |field| format!("`{}` is its largest part", field.key));
    Some(
        finding
            .label(desired.declared_at, what)
            .help("put what is large into the code bundle, or into a file that the app reads"),
    )
}

fn largest(fields: &[FieldChange]) -> Option<&FieldChange> {
    fields.iter().max_by_key(|field| field.new.as_ref().map_or(0, |value| value.to_string().len()))
}
