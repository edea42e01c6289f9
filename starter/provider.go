package main

import (
	"strings"

	"github.com/spf13/cobra"

	"handover/offboarding"
)

// onBehalf says for which identity provider a command acts (rule E5).
type onBehalf struct{ provider string }

func (b *onBehalf) registerProvider(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.provider, "provider", "",
		"identity provider on whose behalf this is, okta or entra; --as may then be left out")
}

// checkWho checks that somebody acts: a person, or an identity provider.
func (b *onBehalf) checkWho(wrong *problems, f *factory) {
	if b.provider == "" {
		wrong.actor(f)
		return
	}
	wrong.check(offboarding.Provisions(b.provider), "--provider must be %s, not %q", strings.Join(offboarding.Provisioners, " or "), b.provider)
}
