package offboarding

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxOrganization is the size in bytes of the longest organization.json.
const maxOrganization = 1 << 20

var organizationKeys = struct{ required, optional []string }{
	[]string{"slug", "name", "domains", "seat_limit", "claim_policy", "identity_provider"},
	[]string{
		"grace_period", "time_zone", "default_disposition", "parent", "enterprise_plan_manager", "provisioning_admin_external_id",
		"sso_sessions", "attribution", "bulk_limit_percent",
	},
}

// jsonKeys reads the keys of a JSON object one by one, so that each mistake has
// its line and none hides the next.
type jsonKeys struct {
	*importer
	file string
	line map[string]int
	raw  map[string]json.RawMessage
}

func (i *importer) readOrganization(file string, f fs.File) {
	k := &jsonKeys{importer: i, file: file, line: map[string]int{}, raw: map[string]json.RawMessage{}}
	content, err := io.ReadAll(io.LimitReader(skipMark(f), maxOrganization+1))
	switch {
	case err != nil:
		i.fail(file, 0, "", fmt.Sprintf("the file cannot be read: %v", err))
	case len(content) > maxOrganization:
		i.fail(file, 0, "", fmt.Sprintf("the file is longer than %d bytes", maxOrganization))
	case !utf8.Valid(content):
		i.fail(file, 0, "", "the file is not UTF-8")
	case k.split(content):
		k.readFields()
	}
}

// split finds the keys and their lines; false when the file is not a JSON object.
func (k *jsonKeys) split(content []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(content))
	line := func() int { return 1 + bytes.Count(content[:dec.InputOffset()], []byte("\n")) }
	notJSON := func(err error) bool {
		at := line()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			at = 1 + bytes.Count(content[:min(int(syntax.Offset), len(content))], []byte("\n"))
		}
		k.fail(k.file, at, "", fmt.Sprintf("the file is not JSON: %v", err))
		return false
	}
	start, err := dec.Token()
	if err != nil {
		return notJSON(err)
	}
	if start != json.Delim('{') {
		k.fail(k.file, line(), "", "the file is not a JSON object")
		return false
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return notJSON(err)
		}
		key, at := token.(string), line() //nolint:errcheck // the decoder refuses other keys
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return notJSON(err)
		}
		if !slices.Contains(organizationKeys.required, key) && !slices.Contains(organizationKeys.optional, key) {
			k.fail(k.file, at, "", "unknown key "+quote(key))
		} else if _, twice := k.raw[key]; twice {
			k.fail(k.file, at, key, "the key is there twice")
		}
		k.raw[key], k.line[key] = raw, at
	}
	if _, err := dec.Token(); err != nil {
		return notJSON(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		k.fail(k.file, line(), "", "something follows the JSON object")
		return false
	}
	return true
}

func (k *jsonKeys) readFields() {
	for _, key := range organizationKeys.required {
		if _, ok := k.raw[key]; !ok {
			k.fail(k.file, 0, key, "the key is missing")
		}
	}
	o := &k.in.Organization
	o.Slug = k.text("slug", "", checkSlug)
	o.Name = k.text("name", "", func(string) string { return "" })
	o.Domains = k.domains()
	o.SeatLimit = k.number("seat_limit", 0, checkSeatLimit)
	o.ClaimPolicy = ClaimPolicy(k.text("claim_policy", "", among(PolicySelfServe, PolicyApproval)))
	o.IdentityProvider = k.text("identity_provider", "", among(IdentityProviders...))
	o.TimeZone = k.text("time_zone", "UTC", k.zone)
	o.DefaultDisposition = Disposition(k.text("default_disposition", string(DispositionRetain), among(Dispositions...)))
	o.SSOSessions = SSOSessions(k.text("sso_sessions", string(SSORevoke), among(SSORevoke, SSOWait)))
	o.Attribution = Attribution(k.text("attribution", string(AttributionName), among(AttributionName, AttributionAnonymous)))
	o.BulkLimitPercent = k.number("bulk_limit_percent", DefaultBulkLimitPercent, checkPercent)
	if raw, ok := k.raw["enterprise_plan_manager"]; ok && (json.Unmarshal(raw, &o.EnterprisePlanManager) != nil || string(raw) == "null") {
		k.wrong("enterprise_plan_manager", "is not true or false")
	}
	k.in.ParentSlug = k.text("parent", "", func(parent string) string {
		if parent == o.Slug {
			return "is the organization itself"
		}
		return checkSlug(parent)
	})
	k.in.ProvisioningAdminExternalID = k.text("provisioning_admin_external_id", "", func(string) string { return "" })
	if _, ok := k.raw["provisioning_admin_external_id"]; !ok && Provisions(o.IdentityProvider) {
		k.fail(k.file, 0, "provisioning_admin_external_id", "the key is missing; "+o.IdentityProvider+" has it")
	}
	k.provisioningLine = k.line["provisioning_admin_external_id"]
	o.GracePeriod, _ = ParseGrace(k.text("grace_period", "", checkGrace), DefaultGracePeriod) // checked
}

func (k *jsonKeys) wrong(key, reason string) { k.fail(k.file, k.line[key], key, reason) }

// text is the text of a key, the fallback where there is no such key.
func (k *jsonKeys) text(key, fallback string, check func(string) string) string {
	raw, ok := k.raw[key]
	if !ok {
		return fallback
	}
	var value *string
	if json.Unmarshal(raw, &value) != nil || value == nil {
		k.wrong(key, "is not a text")
		return fallback
	}
	if reason := checkText(*value, maxField); reason != "" {
		k.wrong(key, reason)
	} else if strings.TrimSpace(*value) == "" {
		k.wrong(key, "is empty")
	} else if reason := check(*value); reason != "" {
		k.wrong(key, quote(*value)+" "+reason)
	}
	return *value
}

// number is the whole number of a key, the fallback where there is no such key.
func (k *jsonKeys) number(key string, fallback int, check func(int) string) int {
	raw, ok := k.raw[key]
	if !ok {
		return fallback
	}
	var value *int
	if json.Unmarshal(raw, &value) != nil || value == nil {
		value = new(int)
		*value = -1
	}
	if reason := check(*value); reason != "" {
		k.wrong(key, reason)
	}
	return *value
}

func (k *jsonKeys) domains() []string {
	raw, ok := k.raw["domains"]
	if !ok {
		return nil
	}
	var domains []string
	if json.Unmarshal(raw, &domains) != nil || len(domains) == 0 {
		k.wrong("domains", "is not a list of domains with one at least")
		return nil
	}
	for _, reason := range checkDomains(domains) {
		k.wrong("domains", reason)
	}
	return domains
}

// checkSeats checks that every member has a seat; all arrive active.
func (i *importer) checkSeats() {
	if seats := i.in.Organization.SeatLimit; seats > 0 && len(i.in.Members) > seats {
		i.fail(OrganizationFile, 0, "seat_limit", fmt.Sprintf("there are %d members for %d seats", len(i.in.Members), seats))
	}
}
