//! `GET /openapi.json`: the API described by OpenAPI 3.1, from the handlers and the types that they answer with.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::Json;
use axum::extract::Extension;
use serde_json::Value;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AdditionalProperties, AllOfBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Info, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response, ResponseBuilder,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::view::{self, Problem};
use crate::model::Role;

type Responses = BTreeMap<String, RefOr<Response>>;

/// What the description says beside the routes.
pub(super) fn description() -> OpenApi {
    let mut info = Info::new("Farol", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Look at what Farol answers with, and change it while it runs. Errors are problems by RFC 9457. A request takes a token \
         in `Authorization: Bearer`, but for those under `monitoring`; where the listener asks for certificates of clients, one that \
         is known does as well. `x-role` is the least role that a request takes: viewer, operator or admin."
            .to_owned(),
    );
    let mut components = Components::new();
    let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme("token", token);
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .build()
}

/// Says of each operation what role it takes, as `x-role`.
pub(super) fn with_role(mut api: OpenApi, role: Role) -> OpenApi {
    for item in api.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let extension = [("x-role".to_owned(), role.label().into())];
            operation.extensions.get_or_insert_default().extend(extension);
        }
    }
    api
}

/// This description
#[utoipa::path(
    get, path = "/openapi.json", tag = "monitoring", security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value, content_type = "application/json")),
)]
pub(super) async fn document(Extension(description): Extension<Arc<Value>>) -> Json<Value> {
    Json(Value::clone(&description))
}

/// What every request with a token may be refused with.
pub(super) enum Guarded {}

impl IntoResponses for Guarded {
    fn responses() -> Responses {
        let challenge = HeaderBuilder::new().description(Some("Bearer")).build();
        let unknown =
            problem("There is no token, or a wrong one").header("WWW-Authenticate", challenge);
        let forbidden = problem("The role is too low, or it is about profiles of others");
        let wait = HeaderBuilder::new().description(Some("Seconds to wait")).build();
        let too_many = problem("Too many requests, or wrong tokens from there before")
            .header("Retry-After", wait);
        let told = [("401", unknown), ("403", forbidden), ("429", too_many)];
        told.into_iter().map(|(status, it)| (status.to_owned(), it.build().into())).collect()
    }
}

/// What a request with ETags may be answered with.
pub(super) enum BadTags {}

impl IntoResponses for BadTags {
    fn responses() -> Responses {
        let same = ResponseBuilder::new()
            .description("Configuration and overrides are as the client knows them");
        [
            ("304".to_owned(), same.build().into()),
            ("400".to_owned(), problem("What is sent makes no sense").build().into()),
        ]
        .into()
    }
}

/// What a change is answered with: what was changed, or no more than a generation if the configuration doesn't have it.
pub(super) struct Changed<T>(PhantomData<T>);

impl<T: ToSchema> IntoResponses for Changed<T> {
    fn responses() -> Responses {
        let generation = || {
            let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
            let number = number.description(Some("Of the snapshot that has the change"));
            let dry_run = ObjectBuilder::new().schema_type(Type::Boolean);
            let dry_run = dry_run.description(Some("True where nothing was changed"));
            let pending = Ref::from_schema_name(view::PendingChange::name());
            let object = ObjectBuilder::new().property("generation", number);
            let object = object.property("dry_run", dry_run).property("pending", pending);
            object.required("generation")
        };
        let now = Ref::from_schema_name(T::name());
        let with = AllOfBuilder::new().item(generation().build()).item(now).build();
        let alone = generation()
            .description(Some("What was changed is in the configuration no more"))
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
        let either = OneOfBuilder::new().item(Schema::AllOf(with)).item(alone.build()).build();
        let content = ContentBuilder::new().schema(Some(Schema::OneOf(either))).build();
        let etag = HeaderBuilder::new().description(Some("With the change, as `GET` gives it"));
        let response = ResponseBuilder::new()
            .description("As it is now, with the generation by which every worker answers")
            .content("application/json", content)
            .header("ETag", etag.build());
        [("200".to_owned(), response.build().into())].into()
    }
}

/// What a change may be refused with.
pub(super) enum Changing {}

impl IntoResponses for Changing {
    fn responses() -> Responses {
        let etag = HeaderBuilder::new().description(Some("The one in force")).build();
        let changed = problem("If-Match names another version").header("ETag", etag);
        let mut responses = Storing::responses();
        responses.insert("412".to_owned(), changed.build().into());
        responses
    }
}

/// What a change without an ETag may be refused with.
pub(super) enum Storing {}

impl IntoResponses for Storing {
    fn responses() -> Responses {
        let told = [
            ("400", problem("What is sent makes no sense")),
            ("408", problem("The body did not arrive in time")),
            ("413", problem("The body is too long")),
            ("422", problem("It would end at once, or there is nothing that could end")),
            ("500", problem("A fault in Farol")),
            ("503", problem("The daemon is stopping")),
            ("507", problem("The change could not be stored, so it was not made")),
        ];
        told.into_iter().map(|(status, it)| (status.to_owned(), it.build().into())).collect()
    }
}

/// What a report may be refused with.
pub(super) enum Reporting {}

impl IntoResponses for Reporting {
    fn responses() -> Responses {
        let told = [
            ("400", problem("What is sent makes no sense")),
            ("408", problem("The body did not arrive in time")),
            ("409", problem("The endpoint is not one that reports")),
            ("413", problem("The body is too long")),
            ("429", problem("The last report has only just come")),
            ("503", problem("Reports are not taken at the moment")),
        ];
        told.into_iter().map(|(status, it)| (status.to_owned(), it.build().into())).collect()
    }
}

fn problem(description: &str) -> ResponseBuilder {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(description).content(Problem::MEDIA_TYPE, content)
}
