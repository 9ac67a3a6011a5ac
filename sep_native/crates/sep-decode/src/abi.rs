use alloy_dyn_abi::{DynSolType, DynSolValue, Specifier};
use alloy_json_abi::{Function, Param};
use alloy_primitives::{Address, hex};

use crate::DecodeError;
use crate::layout::canonical_end;
use crate::names::without_member_names;

pub(crate) const EMPTY: &str = "a type without content cannot be encoded";

/// A list of parameter types, as a call, a result or an event body carries it.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeList {
    types: Vec<DynSolType>,
}

impl TypeList {
    /// Reads types separated by commas, `uint256,(address,bool)[]`; empty text is the empty list.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self { types: Vec::new() });
        }
        match DynSolType::parse(&without_member_names(&format!("({text})"), 1)) {
            Ok(DynSolType::Tuple(types)) if types.iter().any(has_empty) => {
                Err(signature_error(text, EMPTY))
            }
            Ok(DynSolType::Tuple(types)) => Ok(Self { types }),
            Ok(_) => Err(signature_error(text, "it is no list of types")),
            Err(error) => Err(signature_error(text, &error)),
        }
    }

    /// The list of these types.
    pub fn new(types: Vec<DynSolType>) -> Self {
        Self { types }
    }

    /// The types in order.
    pub fn types(&self) -> &[DynSolType] {
        &self.types
    }

    /// The encoding of values that match the types one for one.
    pub fn encode(&self, values: Vec<DynSolValue>) -> Result<Vec<u8>, DecodeError> {
        if self.types.len() != values.len()
            || !self
                .types
                .iter()
                .zip(&values)
                .all(|(kind, value)| kind.matches(value))
        {
            return Err(DecodeError::Values {
                types: self.to_string(),
            });
        }
        Ok(DynSolValue::Tuple(values).abi_encode_params())
    }

    /// The values that `data` encodes. Bytes after the encoding are ignored, as contracts ignore them;
    /// dirty padding and any encoding but the canonical one are refused.
    pub fn decode(&self, data: &[u8]) -> Result<Vec<DynSolValue>, DecodeError> {
        self.decode_prefix(data).map(|(values, _)| values)
    }

    /// As `decode`, and nothing may follow the encoding.
    pub fn decode_exact(&self, data: &[u8]) -> Result<Vec<DynSolValue>, DecodeError> {
        let (values, length) = self.decode_prefix(data)?;
        if length == data.len() {
            Ok(values)
        } else {
            Err(self.data_error("bytes follow the encoding"))
        }
    }

    fn decode_prefix(&self, data: &[u8]) -> Result<(Vec<DynSolValue>, usize), DecodeError> {
        let length = canonical_end(&self.types, data).map_err(|reason| self.data_error(reason))?;
        if self.types.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let tuple = DynSolType::Tuple(self.types.clone());
        match tuple.abi_decode_params(&data[..length]) {
            Ok(DynSolValue::Tuple(values)) => Ok((values, length)),
            Ok(_) => Err(self.data_error("it is no list of values")),
            Err(error) => Err(self.data_error(&error)),
        }
    }

    fn data_error(&self, reason: &(impl ToString + ?Sized)) -> DecodeError {
        DecodeError::Data {
            types: self.to_string(),
            reason: reason.to_string(),
        }
    }
}

impl std::fmt::Display for TypeList {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.types.iter().map(ToString::to_string).collect();
        write!(formatter, "({})", names.join(","))
    }
}

/// A declared function: how it is called and how it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct AbiCall {
    signature: String,
    selector: [u8; 4],
    inputs: TypeList,
    outputs: TypeList,
}

impl AbiCall {
    /// Reads `transfer(address,uint256)` or `function transfer(address to, uint256 amount) returns (bool)`.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let function = Function::parse(&without_member_names(text, 2))
            .map_err(|error| signature_error(text, &error))?;
        Ok(Self {
            signature: function.signature(),
            selector: function.selector().0,
            inputs: resolve(text, &function.inputs)?,
            outputs: resolve(text, &function.outputs)?,
        })
    }

    /// The canonical signature, whose hash begins with the selector.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The first four bytes of a call.
    pub fn selector(&self) -> [u8; 4] {
        self.selector
    }

    /// Types of the arguments.
    pub fn inputs(&self) -> &TypeList {
        &self.inputs
    }

    /// Types of the answer; empty where the signature names none.
    pub fn outputs(&self) -> &TypeList {
        &self.outputs
    }

    /// The call data: selector and arguments.
    pub fn encode(&self, arguments: Vec<DynSolValue>) -> Result<Vec<u8>, DecodeError> {
        let mut data = self.selector.to_vec();
        data.extend(self.inputs.encode(arguments)?);
        Ok(data)
    }

    /// The arguments of call data, which must begin with the selector.
    pub fn decode(&self, data: &[u8]) -> Result<Vec<DynSolValue>, DecodeError> {
        match data.split_first_chunk::<4>() {
            Some((selector, arguments)) if *selector == self.selector => {
                self.inputs.decode(arguments)
            }
            _ => Err(DecodeError::Data {
                types: self.signature.clone(),
                reason: format!(
                    "it does not begin with the selector {}",
                    hex::encode_prefixed(self.selector)
                ),
            }),
        }
    }
}

/// The mixed-case form of an address, whose capitals are a checksum.
pub fn checksum_address(text: &str) -> Option<String> {
    parse_address(text).map(|address| address.to_checksum(None))
}

/// Whether an address is written exactly in its checksum form.
pub fn is_checksum_valid(text: &str) -> bool {
    parse_address(text).is_some_and(|address| address.to_checksum(None) == text)
}

/// An address of `0x` and 40 hexadecimal digits, in whatever case.
fn parse_address(text: &str) -> Option<Address> {
    let digits = text.strip_prefix("0x")?;
    let mut bytes = [0u8; 20];
    (digits.len() == 40).then_some(())?;
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(Address::from(bytes))
}

pub(crate) fn signature_error(subject: &str, reason: &(impl ToString + ?Sized)) -> DecodeError {
    DecodeError::Signature {
        subject: subject.to_owned(),
        reason: reason.to_string(),
    }
}

fn resolve(text: &str, parameters: &[Param]) -> Result<TypeList, DecodeError> {
    let types: Result<Vec<DynSolType>, _> = parameters.iter().map(Specifier::resolve).collect();
    types
        .map(TypeList::new)
        .map_err(|error| signature_error(text, &error))
}

/// Whether a type holds one that no byte encodes, of which any number would fit into no data at all.
pub(crate) fn has_empty(kind: &DynSolType) -> bool {
    match kind {
        DynSolType::Tuple(types) => types.is_empty() || types.iter().any(has_empty),
        DynSolType::FixedArray(inner, length) => *length == 0 || has_empty(inner),
        DynSolType::Array(inner) => has_empty(inner),
        _ => false,
    }
}
