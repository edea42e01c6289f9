package scim

import (
	"strings"

	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
)

// The schemas of what is kept. What else RFC 7643 knows, and extensions that
// nobody here does, are taken and forgotten: an identity provider sends what its
// administrator has mapped.

const (
	userURN       = schema.UserSchema
	groupURN      = schema.GroupSchema
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

func text(name, description string) schema.SimpleParams {
	return schema.SimpleStringParams(schema.StringParams{Name: name, Description: optional.NewString(description)})
}

var (
	userSchema = schema.Schema{
		ID: userURN, Name: optional.NewString("User"), Description: optional.NewString("A member of the organization"),
		Attributes: schema.Attributes{
			schema.SimpleCoreAttribute(schema.SimpleStringParams(schema.StringParams{
				Name: "userName", Required: true, Uniqueness: schema.AttributeUniquenessServer(),
				Description: optional.NewString("Names the member to the identity provider, without regard to case."),
			})),
			schema.ComplexCoreAttribute(schema.ComplexParams{
				Name: "name", Description: optional.NewString("The member's name."),
				SubAttributes: []schema.SimpleParams{
					text("formatted", "The full name."), text("familyName", "The family name."), text("givenName", "The given name."),
				},
			}),
			schema.SimpleCoreAttribute(text("displayName", "What people call the member.")),
			schema.SimpleCoreAttribute(text("title", "The member's title.")),
			schema.SimpleCoreAttribute(text("timezone", "An IANA name: the zone in which the member's last day ends. Another value is kept, and means the organization's.")),
			schema.SimpleCoreAttribute(schema.SimpleBooleanParams(schema.BooleanParams{
				Name: "active", Description: optional.NewString("Whether the member can get in. False starts the offboarding, true ends it."),
			})),
			schema.ComplexCoreAttribute(schema.ComplexParams{
				Name: "emails", MultiValued: true,
				Description: optional.NewString("The primary address is the one the member goes by, else the one for work, else the first."),
				SubAttributes: []schema.SimpleParams{
					text("value", "The address."),
					schema.SimpleStringParams(schema.StringParams{
						Name: "type", CanonicalValues: []string{"work", "home", "other"}, Description: optional.NewString("What it is for."),
					}),
					schema.SimpleBooleanParams(schema.BooleanParams{Name: "primary", Description: optional.NewString("Whether it is the primary one.")}),
				},
			}),
		},
	}
	enterpriseSchema = schema.Schema{
		ID: enterpriseURN, Name: optional.NewString("Enterprise User"), Description: optional.NewString("Enterprise User"),
		Attributes: schema.Attributes{schema.ComplexCoreAttribute(schema.ComplexParams{
			Name: "manager", Description: optional.NewString("Who inherits where the organization's plan says so (rule N2)."),
			SubAttributes: []schema.SimpleParams{
				text("value", "The manager's id; an externalId or userName is understood. One whom there is not is nobody."),
				schema.SimpleReferenceParams(schema.ReferenceParams{
					Name: "$ref", Mutability: schema.AttributeMutabilityReadOnly(), ReferenceTypes: []schema.AttributeReferenceType{"User"},
					Description: optional.NewString("Where the manager is read."),
				}),
			},
		})},
	}
	groupSchema = schema.Schema{
		ID: groupURN, Name: optional.NewString("Group"), Description: optional.NewString("A workspace of the organization"),
		Attributes: schema.Attributes{
			schema.SimpleCoreAttribute(schema.SimpleStringParams(schema.StringParams{
				Name: "displayName", Required: true, Uniqueness: schema.AttributeUniquenessServer(),
				Description: optional.NewString("The workspace's name."),
			})),
			schema.ComplexCoreAttribute(schema.ComplexParams{
				Name: "members", MultiValued: true, Description: optional.NewString("Who belongs to the workspace."),
				SubAttributes: []schema.SimpleParams{
					schema.SimpleStringParams(schema.StringParams{
						Name: "value", CaseExact: true, Mutability: schema.AttributeMutabilityImmutable(), Description: optional.NewString("The user's id."),
					}),
					schema.SimpleReferenceParams(schema.ReferenceParams{
						Name: "$ref", Mutability: schema.AttributeMutabilityImmutable(), ReferenceTypes: []schema.AttributeReferenceType{"User"},
						Description: optional.NewString("Where the user is read."),
					}),
					schema.SimpleStringParams(schema.StringParams{
						Name: "type", CanonicalValues: []string{"User"}, Mutability: schema.AttributeMutabilityImmutable(),
						Description: optional.NewString("User: there are no groups in groups."),
					}),
					schema.SimpleStringParams(schema.StringParams{
						Name: "display", Mutability: schema.AttributeMutabilityImmutable(), Description: optional.NewString("The user's name."),
					}),
				},
			}),
		},
	}
)

// resource is a resource type's schemas: what is kept, and what RFC 7643 knows.
type resource struct {
	name, endpoint string
	kept, known    map[string]schema.Schema // by URN
	core           string                   // URN of the one whose attributes go without
}

var (
	userResource = &resource{
		name: "User", endpoint: "/Users", core: userURN,
		kept:  map[string]schema.Schema{userURN: userSchema, enterpriseURN: enterpriseSchema},
		known: map[string]schema.Schema{userURN: schema.CoreUserSchema(), enterpriseURN: schema.ExtensionEnterpriseUser()},
	}
	groupResource = &resource{
		name: "Group", endpoint: "/Groups", core: groupURN,
		kept:  map[string]schema.Schema{groupURN: groupSchema},
		known: map[string]schema.Schema{groupURN: schema.CoreGroupSchema()},
	}
)

// urn finds a schema's URN, whatever case it is written in; "" for one that nobody
// here knows.
func (r *resource) urn(written string) string {
	for urn := range r.kept {
		if strings.EqualFold(urn, written) {
			return urn
		}
	}
	return ""
}
