//! `GET /assets/…`: the style sheet, the mark and the scripts, built into the binary.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const ASSETS: [(&str, &str, &str); 4] = [
    ("passant.css", "text/css; charset=utf-8", include_str!("../../../../templates/assets/passant.css")),
    ("favicon.svg", "image/svg+xml", include_str!("../../../../templates/assets/favicon.svg")),
    ("demo.js", "text/javascript; charset=utf-8", include_str!("../../../../templates/assets/demo.js")),
    ("form_post.js", "text/javascript; charset=utf-8", include_str!("../../../../templates/assets/form_post.js")),
];

/// Answers an asset by name.
pub(crate) async fn get(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, text)) => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "public, max-age=3600")], *text).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
