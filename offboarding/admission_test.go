package offboarding_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/offboarding"
)

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// member is an active maker of Acme; change makes it another one.
func member(id string, change ...func(*offboarding.Member)) *offboarding.Member {
	m := &offboarding.Member{
		ID: id, OrganizationID: "acme", Email: id + "@acme.example", Role: offboarding.RoleContributor,
		AccountType: offboarding.AccountMaker, Status: offboarding.MemberActive,
	}
	for _, c := range change {
		c(m)
	}
	return m
}

func role(r offboarding.Role) func(*offboarding.Member) {
	return func(m *offboarding.Member) { m.Role = r }
}

func status(s offboarding.MemberStatus) func(*offboarding.Member) {
	return func(m *offboarding.Member) { m.Status = s }
}

func account(a offboarding.AccountType) func(*offboarding.Member) {
	return func(m *offboarding.Member) { m.AccountType = a }
}

func elsewhere(m *offboarding.Member) { m.OrganizationID = "other" }

func by(m *offboarding.Member) offboarding.Actor {
	return offboarding.Actor{Member: m, Reach: offboarding.ReachOwn}
}

func admin() offboarding.Actor { return by(member("admin", role(offboarding.RoleAdmin))) }
func owner() offboarding.Actor { return by(member("owner", role(offboarding.RoleOwner))) }

// start is a start that breaks no rule, and its facts.
func start() (offboarding.Request, offboarding.AdmissionFacts) {
	return offboarding.Request{MemberID: "leaver", RequestedBy: "admin"}, offboarding.AdmissionFacts{
		Actor: admin(), Leaver: member("leaver"),
		Organization: offboarding.Organization{
			ID: "acme", Domains: []string{"acme.example"}, GracePeriod: 48 * time.Hour, TimeZone: "Europe/Berlin",
		},
	}
}

// broken are the rules that an error says are broken, each with its code and field.
func broken(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var refusal *offboarding.Refusal
	require.ErrorAs(t, err, &refusal)
	return brokenBy(refusal.Violations)
}

func brokenBy(violations []offboarding.Violation) []string {
	var texts []string
	for _, v := range violations {
		texts = append(texts, strings.TrimSpace(v.Rule+" "+string(v.Code)+" "+v.Field))
	}
	return texts
}

func TestRuleA1(t *testing.T) {
	t.Parallel()
	refused := []string{"A1 not_authorized requested_by"}
	tests := map[string]struct {
		actor offboarding.Actor
		want  []string
	}{
		"owner":                      {owner(), nil},
		"admin":                      {admin(), nil},
		"contributor":                {by(member("x")), refused},
		"reviewer":                   {by(member("x", role(offboarding.RoleReviewer))), refused},
		"reader":                     {by(member("x", role(offboarding.RoleReader))), refused},
		"inactive admin":             {by(member("x", role(offboarding.RoleAdmin), status(offboarding.MemberInactive))), refused},
		"archived owner":             {by(member("x", role(offboarding.RoleOwner), status(offboarding.MemberArchived))), refused},
		"deleted owner":              {by(member("x", role(offboarding.RoleOwner), status(offboarding.MemberDeleted))), refused},
		"nobody":                     {offboarding.Actor{}, refused},
		"admin of an ancestor":       {offboarding.Actor{Member: member("x", role(offboarding.RoleAdmin), elsewhere), Reach: offboarding.ReachAncestor}, nil},
		"contributor of an ancestor": {offboarding.Actor{Member: member("x", elsewhere), Reach: offboarding.ReachAncestor}, refused},
		"owner of another tenant":    {offboarding.Actor{Member: member("x", role(offboarding.RoleOwner), elsewhere), Reach: offboarding.ReachNone}, refused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, brokenBy(offboarding.JudgeAdmin(tt.actor)))
			require.Equal(t, tt.want, brokenBy(offboarding.JudgeAuthority(tt.actor, member("leaver"))))
			require.Equal(t, tt.want, brokenBy(offboarding.JudgeAuthority(tt.actor, nil)), "a leaver whom nobody knows")
		})
	}
}

func TestRuleA2(t *testing.T) {
	t.Parallel()
	anOwner := member("leaver", role(offboarding.RoleOwner))
	refused := []string{"A2 not_authorized requested_by"}
	assert.Equal(t, refused, brokenBy(offboarding.JudgeAuthority(admin(), anOwner)))
	assert.Equal(t, refused, brokenBy(offboarding.JudgeAuthority(
		offboarding.Actor{Member: member("x", role(offboarding.RoleAdmin), elsewhere), Reach: offboarding.ReachAncestor}, anOwner)))
	assert.Empty(t, offboarding.JudgeAuthority(owner(), anOwner))
	assert.Empty(t, offboarding.JudgeAuthority(owner(), member("leaver", role(offboarding.RoleAdmin))))
	assert.Empty(t, offboarding.JudgeAuthority(admin(), member("leaver", role(offboarding.RoleAdmin))))
	assert.Equal(t, []string{"A1 not_authorized requested_by"}, brokenBy(offboarding.JudgeAuthority(by(member("x")), anOwner)),
		"who is no admin at all hears that, and only that")
}

func TestRuleA3(t *testing.T) {
	t.Parallel()
	_, f := start()
	f.Actor, f.Leaver = owner(), member("leaver", role(offboarding.RoleOwner))
	assert.Equal(t, []string{"A3 last_owner member_id"}, brokenBy(offboarding.JudgeEligibility(f)))
	f.FromProvider = true
	assert.Equal(t, []string{"A3 last_owner member_id"}, brokenBy(offboarding.JudgeEligibility(f)), "by nobody, a provider included")
	f.OtherActiveOwners = 1
	assert.Empty(t, offboarding.JudgeEligibility(f))
	f.OtherActiveOwners, f.Leaver.Role = 0, offboarding.RoleAdmin
	assert.Empty(t, offboarding.JudgeEligibility(f))
}

func TestRuleA4(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"A4 self_offboarding requested_by"}, brokenBy(offboarding.JudgeAuthority(admin(), admin().Member)))
	assert.Equal(t, []string{"A4 self_offboarding requested_by"}, brokenBy(offboarding.JudgeAuthority(owner(), owner().Member)))
	assert.Equal(t, []string{"A1 not_authorized requested_by", "A4 self_offboarding requested_by"},
		brokenBy(offboarding.JudgeAuthority(by(member("x")), member("x"))))
}

func TestRuleE1(t *testing.T) {
	t.Parallel()
	r, f := start()
	f.Leaver = nil
	_, err := offboarding.Admit(r, f, now)
	assert.Equal(t, []string{"E1 member_not_found member_id"}, broken(t, err))
	r.MemberID = ""
	_, err = offboarding.Admit(r, f, now)
	assert.Equal(t, []string{"E1 invalid_argument member_id", "E1 member_not_found member_id"}, broken(t, err))
}

func TestRuleE2(t *testing.T) {
	t.Parallel()
	for _, s := range []offboarding.MemberStatus{offboarding.MemberInactive, offboarding.MemberArchived, offboarding.MemberDeleted} {
		_, f := start()
		f.Leaver.Status, f.Leaver.Role = s, offboarding.RoleOwner
		assert.Equal(t, []string{"E2 already_inactive member_id"}, brokenBy(offboarding.JudgeEligibility(f)), s)
	}
}

func TestRuleE3(t *testing.T) {
	t.Parallel()
	domains := strings.Fields(`aol.com charter.net comcast.net duck.com email.com gmail.com hotmail.com icloud.com live.com
		mail.com mail.ru outlook.com rocketmail.com usa.com verizon.net web.de yahoo.com`)
	require.Len(t, domains, 17)
	for _, domain := range domains {
		for _, written := range []string{domain, strings.ToUpper(domain)} {
			_, f := start()
			f.Leaver.Email = "ann@" + written
			f.Organization.Domains = []string{domain}
			assert.Equal(t, []string{"E3 isp_domain member_id"}, brokenBy(offboarding.JudgeEligibility(f)),
				"%s, though the organization calls it its own", written)
		}
	}
	for _, domain := range []string{"", "gmail.com.example", "notgmail.com", "mail.gmail.com", "gmail"} {
		assert.False(t, offboarding.IsISPDomain(domain), domain)
	}
}

func TestRuleE4(t *testing.T) {
	t.Parallel()
	for email, ok := range map[string]bool{
		"ann@acme.example": true, "ann@ACME.Example": true, "a@b@acme.example": true,
		"ann@sub.acme.example": false, "ann@acme.example.org": false, "ann": false, "ann@": false, "": false,
	} {
		_, f := start()
		f.Leaver.Email = email
		var want []string
		if !ok {
			want = []string{"E4 domain_not_associated member_id"}
		}
		assert.Equal(t, want, brokenBy(offboarding.JudgeEligibility(f)), email)
	}
}

// The page says the same of deactivation and reactivation. A deleted member is nobody,
// and has no domain.
func TestRuleE4OfAReactivation(t *testing.T) {
	t.Parallel()
	_, s := start()
	f := offboarding.ReactivationFacts{Admin: admin(), Organization: s.Organization, Leaver: member("leaver", status(offboarding.MemberInactive))}
	assert.NoError(t, offboarding.JudgeReactivation(f))
	f.Leaver.Email = "ann@elsewhere.example"
	assert.Equal(t, []string{"E4 domain_not_associated"}, broken(t, offboarding.JudgeReactivation(f)))
	assert.Equal(t, []string{"E4 domain_not_associated"}, broken(t, offboarding.JudgeReopening(offboarding.ReactivationRequest{MemberID: "leaver", RequestedBy: "admin"}, f)))
	f.Leaver.Email, f.Organization.Domains = "ann@gmail.com", []string{"gmail.com"}
	assert.NoError(t, offboarding.JudgeReactivation(f), "rule E3 is of deactivations")
	f.Organization.Domains, f.Organization.IdentityProvider, f.Leaver.ManagedBy, f.Provider = nil, "okta", "okta", "okta"
	assert.NoError(t, offboarding.JudgeReactivation(f), "the provider says whose members they are")
	f.Provider, f.Leaver.ManagedBy, f.Leaver.Status = "", "", offboarding.MemberDeleted
	assert.Equal(t, []string{"X1 member_not_found"}, broken(t, offboarding.JudgeReactivation(f)))
}

func TestRuleE5(t *testing.T) {
	t.Parallel()
	_, f := start()
	f.Leaver.ManagedBy = "entra"
	assert.Equal(t, []string{"E5 externally_managed member_id"}, brokenBy(offboarding.JudgeEligibility(f)))
	f.FromProvider = true
	assert.Empty(t, offboarding.JudgeEligibility(f))
}

func TestRuleN1(t *testing.T) {
	t.Parallel()
	refused := []string{"N1 new_owner_not_eligible new_owner_id"}
	tests := map[string]struct {
		candidate *offboarding.Member
		want      []string
	}{
		"maker":                   {member("x"), nil},
		"maker who only reads":    {member("x", role(offboarding.RoleReader)), nil},
		"nobody":                  {nil, refused},
		"editor":                  {member("x", account(offboarding.AccountEditor)), refused},
		"viewer":                  {member("x", account(offboarding.AccountViewer)), refused},
		"inactive":                {member("x", status(offboarding.MemberInactive)), refused},
		"archived":                {member("x", status(offboarding.MemberArchived)), refused},
		"deleted":                 {member("x", status(offboarding.MemberDeleted)), refused},
		"of another organization": {member("x", elsewhere), refused},
		"the leaver":              {member("leaver"), refused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, brokenBy(offboarding.JudgeNewOwner(tt.candidate, member("leaver"))))
			r, f := start()
			r.NewOwnerID, f.NewOwner = "x", tt.candidate
			plan, err := offboarding.Admit(r, f, now)
			require.Equal(t, tt.want, broken(t, err))
			if tt.want == nil {
				require.Equal(t, "x", plan.NewOwnerID)
				require.Equal(t, offboarding.DispositionTransfer, plan.Disposition, "a new owner alone means transfer")
			}
		})
	}
}

func TestRuleN1GoesWithTransferOnly(t *testing.T) {
	t.Parallel()
	for _, d := range offboarding.Dispositions {
		got := brokenBy(offboarding.CheckRequest(offboarding.Request{MemberID: "m", RequestedBy: "a", NewOwnerID: "x", Disposition: d}))
		if d == offboarding.DispositionTransfer {
			assert.Empty(t, got)
		} else {
			assert.Equal(t, []string{"N1 invalid_argument new_owner_id"}, got, d)
		}
	}
}

func TestRuleN2(t *testing.T) {
	t.Parallel()
	r, f := start()
	r.Disposition = offboarding.DispositionTransfer
	plan, err := offboarding.Admit(r, f, now)
	require.NoError(t, err)
	assert.Equal(t, "admin", plan.NewOwnerID, "no new owner named: the acting admin")

	f.Actor.Member.AccountType = offboarding.AccountEditor
	_, err = offboarding.Admit(r, f, now)
	assert.Equal(t, []string{"N1 new_owner_not_eligible new_owner_id"}, broken(t, err), "who must be able to own")

	r.NewOwnerID, f.NewOwner = offboarding.NewOwnerManager, member("boss")
	plan, err = offboarding.Admit(r, f, now)
	require.NoError(t, err)
	assert.Equal(t, "boss", plan.NewOwnerID)

	f.NewOwner = nil
	_, err = offboarding.Admit(r, f, now)
	assert.Equal(t, []string{"N1 new_owner_not_eligible new_owner_id"}, broken(t, err), "a leaver without a manager")
}

func TestRuleD3(t *testing.T) {
	t.Parallel()
	refused := []string{"D3 invalid_argument archive_schedules"}
	tests := map[string]struct {
		disposition, organization offboarding.Disposition
		newOwner                  string
		want                      []string
	}{
		"transfer":                  {disposition: offboarding.DispositionTransfer},
		"a new owner":               {newOwner: "x"},
		"transfer by default":       {organization: offboarding.DispositionTransfer},
		"archive":                   {disposition: offboarding.DispositionArchive, organization: offboarding.DispositionTransfer, want: refused},
		"retain":                    {disposition: offboarding.DispositionRetain, want: refused},
		"archive by default":        {organization: offboarding.DispositionArchive, want: refused},
		"retain for want of others": {want: refused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, f := start()
			r.ArchiveSchedules, r.Disposition, r.NewOwnerID = true, tt.disposition, tt.newOwner
			f.Organization.DefaultDisposition, f.NewOwner = tt.organization, member("x")
			plan, err := offboarding.Admit(r, f, now)
			require.Equal(t, tt.want, broken(t, err))
			require.Equal(t, tt.want == nil, plan.ArchiveSchedules)
		})
	}
}

func TestRuleO1(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 100)
	for origin, ok := range map[string]bool{
		"": true, "AI,Acme,assistant": true, "SCRIPT,Acme Inc.,night job": true, "APPLICATION," + long + "," + long: true,
		"HUMAN,Acme,ann": false, "ai,Acme,x": false, "AI": false, "AI,Acme": false, "AI,Acme,x,y": false, "AI,,x": false,
		"AI,Acme,": false, "AI, Acme,x": false, "AI,Acme, x": false, " AI,Acme,x": false, "AI,Acme,x\n": false, "AI,A\x00,x": false,
		"AI," + long + "ü,x": false, "AI,Acme\nAI,Acme,x": false,
	} {
		got := brokenBy(offboarding.CheckRequest(offboarding.Request{MemberID: "m", RequestedBy: "a", Origin: origin}))
		if ok {
			assert.Empty(t, got, "%q", origin)
		} else {
			assert.Equal(t, []string{"O1 invalid_argument origin"}, got, "%q", origin)
		}
	}
}

func TestCheckRequestTexts(t *testing.T) {
	t.Parallel()
	r := offboarding.Request{MemberID: "m", RequestedBy: "a", Reason: strings.Repeat("x", offboarding.MaxNote)}
	assert.Empty(t, offboarding.CheckRequest(r))
	r.Reason += "x"
	assert.Equal(t, []string{"invalid_argument reason"}, brokenBy(offboarding.CheckRequest(r)))
	// The database keeps neither of these: a case would try forever.
	assert.Equal(t, []string{
		"invalid_argument member_id", "invalid_argument requested_by", "invalid_argument new_owner_id", "invalid_argument reason",
	}, brokenBy(offboarding.CheckRequest(offboarding.Request{
		MemberID: "external:\x00", RequestedBy: "\xff", NewOwnerID: "a\x00", Reason: "\x00",
	})))
}

func TestAdmitReportsAllAtOnce(t *testing.T) {
	t.Parallel()
	leaver := member("leaver", role(offboarding.RoleOwner), func(m *offboarding.Member) {
		m.Email, m.ManagedBy, m.TimeZone = "ann@gmail.com", "okta", "Mars/Base"
	})
	_, f := start()
	f.Actor, f.Leaver, f.NewOwner = by(leaver), leaver, leaver
	plan, err := offboarding.Admit(offboarding.Request{
		MemberID: "leaver", Origin: "x", EffectiveAt: "2026-04-01", NewOwnerID: "leaver", GracePeriod: "-1h",
		Reason: strings.Repeat("x", offboarding.MaxNote+1),
	}, f, now)
	require.Equal(t, []string{
		"A1 invalid_argument requested_by", "invalid_argument reason", "invalid_argument grace_period", "O1 invalid_argument origin",
		"A4 self_offboarding requested_by", "A3 last_owner member_id", "E3 isp_domain member_id", "E5 externally_managed member_id",
		"N1 new_owner_not_eligible new_owner_id", "L1 invalid_argument effective_at",
	}, broken(t, err))
	require.Zero(t, plan)

	_, err = offboarding.Admit(offboarding.Request{
		MemberID: "x", RequestedBy: "y", Disposition: "burn", NewOwnerID: "z", ArchiveSchedules: true,
	}, offboarding.AdmissionFacts{}, now)
	require.Equal(t, []string{
		"invalid_argument disposition", "N1 invalid_argument new_owner_id", "D3 invalid_argument archive_schedules",
		"A1 not_authorized requested_by", "E1 member_not_found member_id",
	}, broken(t, err))
}
