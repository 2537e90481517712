//! Where a command goes that is not about declared apps: the target and the scope, with or without a manifest.

use super::choose::{Chosen, choose};
use super::draft::{unknown_profile, variables};
use super::settings::choice_settings;
use super::vars::Filling;
use super::{Selection, Setting, Target, once_each, sources};
use crate::diagnostic::{Diagnostics, Invalid};
use crate::manifest::Manifest;
use crate::model::Scope;

/// A target, and a scope as far as it is chosen.
#[derive(Debug, Clone)]
pub struct Place {
    pub target: Target,
    pub org: String,
    pub project: Option<String>,
    pub domain: Option<String>,
    /// Every choice, and the way to the control plane part by part.
    pub settings: Vec<Setting>,
    /// What of the SDK's configuration was read otherwise than the SDK reads it.
    pub notes: Vec<String>,
    /// The texts read, and warnings about them.
    pub diagnostics: Diagnostics,
}

impl Place {
    /// `None` where project or domain is not chosen.
    pub fn scope(&self) -> Option<Scope> {
        Some(Scope { org: self.org.clone(), project: self.project.clone()?, domain: self.domain.clone()? })
    }
}

/// The place that flags, the manifest around and the SDK's configuration choose. Apps play no part in it.
///
/// # Errors
/// The texts of the manifest have mistakes, the target is unknown, or the SDK's configuration is needed and wrong.
pub fn place(manifest: Option<&Manifest>, selection: &Selection) -> Result<Place, Invalid> {
    let nothing = Manifest::nothing();
    let manifest = manifest.unwrap_or(&nothing);
    let mut findings = manifest.findings.clone();
    findings.extend(selection.profile.as_deref().and_then(|name| unknown_profile(manifest, name)));
    let variables = variables(manifest, manifest.root_document(), selection);
    let mut filling = Filling::default();
    let chosen = choose(manifest, selection, &variables, &mut filling, &mut findings);
    findings.append(&mut filling.findings);
    findings.append(&mut filling.unset);
    findings.extend(chosen.unconfigured.iter().cloned());
    let diagnostics = Diagnostics::new(sources(manifest, selection), once_each(findings));
    if diagnostics.has_errors() {
        return Err(Invalid(diagnostics));
    }
    let settings = choice_settings(&chosen, selection);
    let Chosen { org, project, domain, target, notes, .. } = chosen;
    Ok(Place {
        target,
        org: org.value.unwrap_or_default(),
        project: project.value,
        domain: domain.value,
        settings,
        notes,
        diagnostics,
    })
}
