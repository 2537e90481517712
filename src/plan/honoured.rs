//! What an app asks for that its server is known not to act on.

use flyte_schema::flyteidl2::app::Spec;
use flyte_schema::flyteidl2::core::{Resources, resources::ResourceName};

use crate::model::{Guarantee, Guarantees};

/// The manifest keys in vain. Authentication counts only where somebody wrote so: every app asks for it by default.
pub fn not_acted_on(spec: &Spec, is_written: impl Fn(&str) -> bool, guarantees: &Guarantees) -> Vec<String> {
    let authentication = !spec.security_context.allow_anonymous && is_written("requires_auth");
    let asked: [(Guarantee, bool, &'static str); 7] = [
        (Guarantee::ActsOnSubdomain, !spec.ingress.subdomain.is_empty(), "ingress.subdomain"),
        (Guarantee::ActsOnCustomDomain, !spec.ingress.cname.is_empty(), "ingress.custom_domain"),
        (Guarantee::ActsOnPrivate, spec.ingress.private, "ingress.private"),
        (Guarantee::ActsOnCluster, !spec.cluster.is_empty(), "cluster"),
        (Guarantee::ActsOnPool, !["", "default"].contains(&spec.cluster_pool.as_str()), "cluster_pool"),
        (Guarantee::ActsOnAuthentication, authentication, "requires_auth"),
        (Guarantee::ActsOnAccelerators, asks_for_accelerator(spec), "resources.gpu"),
    ];
    let in_vain = |(guarantee, asks, key): (Guarantee, bool, &'static str)| {
        (asks && guarantees.holds(guarantee) == Some(false)).then(|| key.to_owned())
    };
    asked.into_iter().filter_map(in_vain).collect()
}

fn asks_for_accelerator(spec: &Spec) -> bool {
    use flyte_schema::flyteidl2::app::spec::AppPayload;
    let of = |resources: &Resources| {
        let entries = resources.requests.iter().chain(&resources.limits);
        entries.into_iter().any(|entry| entry.name == ResourceName::GPU)
    };
    let plain = matches!(&spec.app_payload, Some(AppPayload::Container(container)) if of(&container.resources));
    plain || spec.extended_resources.gpu_accelerator.is_set()
}
