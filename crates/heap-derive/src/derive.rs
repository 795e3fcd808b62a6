//! The expansion of `#[derive(Trace)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{
    Attribute, Data, DeriveInput, Error, ExprPath, Field, Fields, Ident, LitStr, Member, Path, Result, Token, Type,
    WherePredicate, parse_quote,
};

/// Types with more fields than this leave it to the compiler whether their `trace` is inlined.
const INLINED_FIELDS: usize = 8;

pub(crate) fn trace(input: &DeriveInput) -> Result<TokenStream> {
    let attributes = TypeAttributes::parse(&input.attrs)?;
    let (patterns, described, fields) = match &input.data {
        Data::Struct(data) => {
            let arm = Arm::new(&parse_quote!(Self), &data.fields, None)?;
            (vec![arm.pattern], vec![arm.described], arm.traced)
        }
        Data::Enum(data) => {
            let mut patterns = Vec::new();
            let mut described = Vec::new();
            let mut fields = Vec::new();
            for variant in &data.variants {
                let name = &variant.ident;
                if is_skipped(&variant.attrs)? {
                    patterns.push(quote!(Self::#name { .. } => {}));
                    described.push(quote!(Self::#name { .. } => {}));
                    continue;
                }
                let arm = Arm::new(&parse_quote!(Self::#name), &variant.fields, Some(name))?;
                patterns.push(arm.pattern);
                described.push(arm.described);
                fields.extend(arm.traced);
            }
            (patterns, described, fields)
        }
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "`Trace` cannot be derived for a union: which of its fields holds a value is not known",
            ));
        }
    };

    let mut generics = input.generics.clone();
    if let Some(bounds) = attributes.bounds {
        generics.make_where_clause().predicates.extend(bounds);
    } else {
        for parameter in generics.type_params_mut() {
            parameter.bounds.push(parse_quote!(::tumulus_heap::Trace));
        }
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let name = &input.ident;

    let owns_itself = fields.iter().any(|field| mentions(&field.ty, name));
    let has_edges = if attributes.edges || owns_itself {
        quote!(true)
    } else {
        let types = fields.iter().map(|field| &field.ty);
        quote!(false #(|| <#types as ::tumulus_heap::Trace>::HAS_EDGES)*)
    };
    // Marking runs in a loop per type, and is a third faster where the fields are traced in that loop itself.
    let inline = if fields.len() <= INLINED_FIELDS { quote!(#[inline(always)]) } else { quote!(#[inline]) };
    let body = if patterns.is_empty() { quote!(match *self {}) } else { quote!(match self { #(#patterns)* }) };
    let description = if described.is_empty() { quote!(match *self {}) } else { quote!(match self { #(#described)* }) };
    let more = attributes.describe.map(|function| quote!(#function(self, describer);));
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::tumulus_heap::Trace for #name #type_generics #where_clause {
            const HAS_EDGES: bool = #has_edges;

            #inline
            #[allow(unused_variables, deprecated, unreachable_patterns)]
            fn trace(&self, tracer: &mut ::tumulus_heap::Tracer<'_>) {
                #body
            }

            #[allow(unused_variables, deprecated, unreachable_patterns)]
            fn describe(&self, describer: &mut ::tumulus_heap::Describer<'_>) {
                #more
                #description
            }
        }
    })
}

/// One arm of the `match` over `self`.
struct Arm {
    pattern: TokenStream,
    /// The same, to describe what is traced.
    described: TokenStream,
    traced: Vec<Field>,
}

impl Arm {
    /// The arm for a struct, or for a variant, whose name is in those of its edges.
    fn new(path: &Path, fields: &Fields, variant: Option<&Ident>) -> Result<Arm> {
        let mut described = Vec::new();
        let mut bindings = Vec::new();
        let mut calls = Vec::new();
        let mut traced = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            if is_skipped(&field.attrs)? {
                continue;
            }
            let binding = format_ident!("field_{at}");
            let member = field.ident.clone().map_or_else(|| Member::from(at), Member::from);
            bindings.push(quote!(#member: #binding));
            calls.push(quote!(::tumulus_heap::Trace::trace(#binding, tracer);));
            let name = match (variant, &member) {
                (None, Member::Named(name)) => unraw(name),
                (None, Member::Unnamed(index)) => index.index.to_string(),
                (Some(variant), Member::Named(name)) => format!("{}.{}", unraw(variant), unraw(name)),
                // A variant with one value has the name of what it is.
                (Some(variant), Member::Unnamed(_)) if fields.len() == 1 => unraw(variant),
                (Some(variant), Member::Unnamed(index)) => format!("{}.{}", unraw(variant), index.index),
            };
            // What has no name in a program has none here.
            let is_wrapper = variant.is_none() && field.ident.is_none() && fields.len() == 1;
            described.push(if is_wrapper {
                quote!(describer.wrapped(#binding);)
            } else {
                quote!(describer.field(#name, #binding);)
            });
            traced.push(field.clone());
        }
        let described = quote!(#path { #(#bindings,)* .. } => { #(#described)* });
        let pattern = quote!(#path { #(#bindings,)* .. } => { #(#calls)* });
        Ok(Arm { pattern, described, traced })
    }
}

/// An identifier as it is read.
fn unraw(name: &Ident) -> String {
    let text = name.to_string();
    text.strip_prefix("r#").map_or_else(|| text.clone(), str::to_string)
}

/// What `#[trace(..)]` says of the type.
#[derive(Default)]
struct TypeAttributes {
    edges: bool,
    describe: Option<ExprPath>,
    bounds: Option<Punctuated<WherePredicate, Token![,]>>,
}

impl TypeAttributes {
    fn parse(attributes: &[Attribute]) -> Result<TypeAttributes> {
        let mut found = TypeAttributes::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("trace")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("edges") {
                    found.edges = true;
                    Ok(())
                } else if meta.path.is_ident("bound") {
                    let text: LitStr = meta.value()?.parse()?;
                    found.bounds = Some(text.parse_with(Punctuated::parse_terminated)?);
                    Ok(())
                } else if meta.path.is_ident("describe") {
                    let text: LitStr = meta.value()?.parse()?;
                    found.describe = Some(text.parse()?);
                    Ok(())
                } else if meta.path.is_ident("skip") {
                    Err(meta.error("`skip` goes on a field or a variant, not on the type"))
                } else {
                    Err(meta.error("unknown `trace` attribute; on a type there are `edges`, `bound = \"..\"` and `describe = \"..\"`"))
                }
            })?;
        }
        Ok(found)
    }
}

/// Whether a field or a variant has `#[trace(skip)]`.
fn is_skipped(attributes: &[Attribute]) -> Result<bool> {
    let mut skipped = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("trace")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                skipped = true;
                Ok(())
            } else {
                Err(meta.error("unknown `trace` attribute; on a field or a variant there is `skip`"))
            }
        })?;
    }
    Ok(skipped)
}

/// Whether a type owns a value of the type called `name`, as far as its text says. Behind a handle nothing is owned.
fn mentions(in_type: &Type, name: &Ident) -> bool {
    struct Search<'n> {
        name: &'n Ident,
        found: bool,
    }
    impl<'ast> Visit<'ast> for Search<'_> {
        fn visit_path(&mut self, path: &'ast Path) {
            let Some(last) = path.segments.last() else { return };
            if last.ident == "Gc" || last.ident == "Weak" {
                return;
            }
            self.found |= last.ident == *self.name || last.ident == "Self";
            syn::visit::visit_path(self, path);
        }
    }
    let mut search = Search { name, found: false };
    search.visit_type(in_type);
    search.found
}
