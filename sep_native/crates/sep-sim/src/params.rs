use serde_json::Value;

use crate::{RpcError, render};

/// The parameters of a call, or the fields of one that is an object.
pub(crate) struct Params<'a>(pub(crate) &'a Value);

impl<'a> Params<'a> {
    pub(crate) fn field(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn at(&self, place: usize) -> Option<&'a Value> {
        self.0.get(place).filter(|value| !value.is_null())
    }

    pub(crate) fn need(&self, place: usize) -> Result<&'a Value, RpcError> {
        self.at(place)
            .ok_or_else(|| RpcError::params(format!("missing value for required argument {place}")))
    }

    pub(crate) fn need_field(&self, name: &str) -> Result<&'a Value, RpcError> {
        self.field(name)
            .ok_or_else(|| RpcError::params(format!("{name} is missing")))
    }

    pub(crate) fn flag(&self, name: &str, otherwise: bool) -> bool {
        self.field(name)
            .and_then(Value::as_bool)
            .unwrap_or(otherwise)
    }

    pub(crate) fn small(&self, name: &str, otherwise: u64) -> Result<u64, RpcError> {
        self.field(name).map_or(Ok(otherwise), render::small)
    }
}
