//! `flyteidl2.cluster.ClusterService`

#![allow(refining_impl_trait, reason = "the generated traits are made to be refined")]

use connectrpc::{RequestContext, Response, ServiceRequest, ServiceResult};
use flyte_schema::flyteidl2::cluster::{ClusterService, SelectClusterRequest, SelectClusterResponse};

use super::host;

/// There is one place, and it does everything.
pub struct Clusters;

impl ClusterService for Clusters {
    async fn select_cluster(
        &self,
        ctx: RequestContext,
        _: ServiceRequest<'_, SelectClusterRequest>,
    ) -> ServiceResult<SelectClusterResponse> {
        Response::ok(SelectClusterResponse {
            cluster_endpoint: format!("http://{}", host(&ctx)?),
            ..Default::default()
        })
    }
}
