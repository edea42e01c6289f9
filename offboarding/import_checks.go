package offboarding

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	emailForm  = regexp.MustCompile(`^[^\s\pC@,;:<>()\[\]"\\]+@[^\s@]+$`)
	domainForm = regexp.MustCompile(`^[\pL\pN]([\pL\pN\pM-]*[\pL\pN\pM])?(\.[\pL\pN]([\pL\pN\pM-]*[\pL\pN\pM])?)*$`)
	slugForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
	cronItem   = regexp.MustCompile(`^(?:[*?]|([0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?)(?:/([0-9]+))?$`)
)

// Each check says what is wrong with a value, "" for nothing.

// maxField is the length in bytes of the longest field: what an index of the
// database can hold.
const maxField = 1000

func checkText(text string, limit int) string {
	switch {
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.ContainsRune(text, 0):
		return "has a NUL character"
	case len(text) > limit:
		return fmt.Sprintf("is longer than %d bytes", limit)
	}
	return ""
}

// among checks that a text is one of the values.
func among[T ~string](values ...T) func(string) string {
	return func(text string) string {
		if slices.Contains(values, T(text)) {
			return ""
		}
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = string(v)
		}
		return "is not one of " + strings.Join(texts, ", ")
	}
}

func checkEmail(email string) string {
	if !emailForm.MatchString(email) || !domainForm.MatchString(EmailDomain(email)) {
		return "is not an email address"
	}
	return ""
}

func checkDomain(domain string) string {
	if !domainForm.MatchString(domain) {
		return "is not a domain"
	}
	return ""
}

// checkDomains writes the domains in lower case and says what is wrong with each.
func checkDomains(domains []string) (reasons []string) {
	for n, domain := range domains {
		domains[n] = strings.ToLower(domain)
		if reason := checkDomain(domain); reason != "" {
			reasons = append(reasons, quote(domain)+" "+reason)
		} else if slices.Contains(domains[:n], domains[n]) {
			reasons = append(reasons, quote(domain)+" is there twice")
		}
	}
	return reasons
}

func checkSeatLimit(seats int) string {
	if seats < 0 || seats > math.MaxInt32 {
		return "is not a whole number from 0 (no limit) up"
	}
	return ""
}

func checkPercent(percent int) string {
	if percent < 1 || percent > 100 {
		return "is not a whole number from 1 to 100"
	}
	return ""
}

func checkSlug(slug string) string {
	if !slugForm.MatchString(slug) {
		return "is not of lower-case letters, digits, dots, dashes and underscores"
	}
	return ""
}

// checkManagedBy: members are managed by the organization's identity provider,
// where it provisions, or by none. An organization that could not be read is not
// held against its members.
func (i *importer) checkManagedBy(provider string) string {
	switch own := i.in.Organization.IdentityProvider; {
	case !Provisions(provider):
		return "is not one of " + strings.Join(Provisioners, ", ") + "; the field stays empty where nobody manages the account"
	case own != provider && slices.Contains(IdentityProviders, own):
		return "is not the organization's identity provider, which is " + quote(own)
	}
	return ""
}

// checkZone refuses "Local" too: it would be the zone of the machine.
func checkZone(zone string) string {
	if _, err := time.LoadLocation(zone); err != nil || zone == "Local" {
		return "is not an IANA time zone"
	}
	return ""
}

func checkPath(path string) string {
	for name := range strings.SplitSeq(path, "/") {
		if strings.TrimSpace(name) == "" {
			return "is not names joined by / (one of them is empty)"
		}
	}
	return ""
}

func checkGrace(text string) string {
	if _, err := ParseGrace(text, 0); err != nil {
		return `is not a duration such as "168h" or "7d", from 0 to ten years`
	}
	return ""
}

// checkNewOwner accepts what rule N2 does in bulk.
func checkNewOwner(text string) string {
	if text != NewOwnerManager && checkEmail(text) != "" {
		return "is neither an email address nor " + NewOwnerManager
	}
	return ""
}

// checkDay judges only the form: the day's end needs the member's time zone.
func checkDay(day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		at, err = time.Parse(time.RFC3339, day)
	}
	switch {
	case err != nil:
		return "is neither a date (2006-01-02) nor a time with its zone (RFC 3339)"
	case at.Year() < firstYear:
		return fmt.Sprintf("lies before %d", firstYear)
	}
	return ""
}

// cronFields are the five fields of a cron expression with their bounds; names
// stand for the numbers from low on.
var cronFields = []struct {
	name      string
	low, high int
	names     string
}{
	{"minute", 0, 59, ""},
	{"hour", 0, 23, ""},
	{"day of the month", 1, 31, ""},
	{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
	{"day of the week", 0, 7, "SUNMONTUEWEDTHUFRISAT"},
}

// checkCron judges the five fields of a cron expression, not whether the moment
// ever comes (the 31st of February).
func checkCron(cron string) string {
	fields := strings.Fields(cron)
	if len(fields) != len(cronFields) {
		return "does not have the five fields of a cron expression"
	}
	for i, field := range fields {
		for item := range strings.SplitSeq(field, ",") {
			if !cronItemOK(item, i) {
				return "is not a cron expression: its " + cronFields[i].name + " is wrong"
			}
		}
	}
	return ""
}

func cronItemOK(item string, field int) bool {
	m := cronItem.FindStringSubmatch(item)
	if m == nil {
		return false
	}
	first, second, step := m[1], m[2], m[3]
	if n, err := strconv.Atoi(step); step != "" && (err != nil || n < 1) {
		return false
	}
	low, ok := cronValue(first, field)
	if first != "" && !ok {
		return false
	}
	high, ok := cronValue(second, field)
	return second == "" || ok && low <= high
}

func cronValue(text string, field int) (int, bool) {
	f := cronFields[field]
	if i := strings.Index(f.names, strings.ToUpper(text)); len(text) == 3 && i >= 0 && i%3 == 0 {
		return f.low + i/3, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.low && n <= f.high
}
