package offboarding

// Provisioner is an organization's identity provider, as it comes over SCIM.
type Provisioner struct {
	TokenID        string `db:"id"`
	OrganizationID string `db:"organization_id"`
	Provider       string `db:"identity_provider"` // okta or entra
	Name           string `db:"name"`              // of the organization
	AdminID        string `db:"admin_id"`          // whom the audit names: the provisioning admin, "" for nobody
}
