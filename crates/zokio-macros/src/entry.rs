//! `#[main]` and `#[test]`.
//!
//! The function's body is not parsed: it is moved as it is, so that the compiler's messages about it
//! are those of any other function.

use crate::options;
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, Signature, Visibility};

/// Which of the two attributes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// `#[main]`
    Main,
    /// `#[test]`
    Test,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Test => "test",
        }
    }
}

/// An `async fn`.
struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        let body = match input.parse()? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => group,
            other => return Err(Error::new(other.span(), "expected the function's body")),
        };
        // Attributes at the head of the body concern the function.
        let split = |body: ParseStream<'_>| {
            let inner = body.call(Attribute::parse_inner)?;
            Ok((inner, body.parse::<TokenStream>()?))
        };
        let (inner, rest) = syn::parse::Parser::parse2(split, body.stream())?;
        attributes.extend(inner);
        let mut stripped = Group::new(Delimiter::Brace, rest);
        stripped.set_span(body.span());
        Ok(Self {
            attributes,
            visibility,
            signature,
            body: stripped,
        })
    }
}

impl Function {
    fn check(&self, kind: Kind) -> Result<()> {
        if self.signature.asyncness.is_none() {
            let text = "the function must be `async`: write `async fn`";
            return Err(Error::new_spanned(self.signature.fn_token, text));
        }
        let is_main = kind == Kind::Main && self.signature.ident == "main";
        if (is_main || kind == Kind::Test) && !self.signature.inputs.is_empty() {
            let text = match kind {
                Kind::Main => "the main function takes no arguments",
                Kind::Test => "a test function takes no arguments",
            };
            return Err(Error::new_spanned(&self.signature.inputs, text));
        }
        if kind == Kind::Test {
            let is_test = |attribute: &&Attribute| attribute.path().is_ident("test");
            if let Some(second) = self.attributes.iter().find(is_test) {
                let text = "a second test attribute: remove one, or the test would run twice";
                return Err(Error::new_spanned(second, text));
            }
        }
        Ok(())
    }

    fn expand(self, runtime: &TokenStream, kind: Kind) -> TokenStream {
        let Self {
            attributes,
            visibility,
            mut signature,
            body,
        } = self;
        signature.asyncness = None;
        let test = match kind {
            Kind::Main => TokenStream::new(),
            Kind::Test => quote! { #[::core::prelude::v1::test] },
        };
        // The compiler's complaint about the result's type then points at the last expression.
        let end = last_span(&body);
        let run = quote_spanned! { end => return #runtime.block_on(body); };
        quote! {
            #(#attributes)*
            #test
            #visibility #signature {
                let body = async #body;
                #[allow(
                    clippy::expect_used,
                    clippy::diverging_sub_expression,
                    clippy::needless_return,
                    clippy::unwrap_in_result
                )]
                {
                    #run
                }
            }
        }
    }
}

/// Where the last token of a body stands.
fn last_span(body: &Group) -> Span {
    let last = body.stream().into_iter().last();
    let span = last.map_or(body.span(), |token| token.span());
    // Names are found where the macro was called, whatever stands there.
    Span::call_site().located_at(span)
}

fn try_expand(
    args: TokenStream,
    item: TokenStream,
    kind: Kind,
    default_path: &str,
) -> Result<TokenStream> {
    let function: Function = syn::parse2(item)?;
    function.check(kind)?;
    let runtime = options::runtime(args, kind, default_path)?;
    Ok(function.expand(&runtime, kind))
}

/// The function that blocks on `item`'s body, or an error beside `item` itself: so that the
/// compiler reports what is really wrong and no more.
pub(crate) fn expand(
    args: TokenStream,
    item: TokenStream,
    kind: Kind,
    default_path: &str,
) -> TokenStream {
    match try_expand(args, item.clone(), kind, default_path) {
        Ok(expanded) => expanded,
        Err(error) => {
            let error = error.into_compile_error();
            quote! { #item #error }
        }
    }
}
