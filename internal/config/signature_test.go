package config_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/config"
)

func TestSignatureKeys(t *testing.T) {
	t.Parallel()
	const groups = config.TemporalGroup | config.WorkerGroup
	seed := []byte(strings.Repeat("s", ed25519.SeedSize))
	private := base64.StdEncoding.EncodeToString(seed)
	key := ed25519.NewKeyFromSeed(seed)
	public := base64.StdEncoding.EncodeToString(key[ed25519.SeedSize:])
	with := func(signing, ring, require string) environment {
		return environment{"HANDOVER_SIGNING_KEY": signing, "HANDOVER_SIGNATURE_KEYS": ring, "HANDOVER_REQUIRE_SIGNED_MESSAGES": require}
	}
	c, err := load(t, groups, with("w1:"+private, "w1:"+public+", g1:"+public, "true"))
	require.NoError(t, err)
	require.Equal(t, "w1", c.Signing.Key.ID)
	require.True(t, key.Equal(c.Signing.Key.Key))
	require.Len(t, c.Signing.Required, 2)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %v", c, c.Signing, c.Signing, *c.Signing.Key), "115 115")

	for _, off := range []environment{{}, with("w1:"+private, "w1:"+public, "false")} {
		c, err = load(t, groups, off)
		require.NoError(t, err)
		require.Nil(t, c.Signing.Required, "nothing has to be signed")
	}
	c, err = load(t, config.TemporalGroup, with("w1:"+private, "", ""))
	require.NoError(t, err)
	require.NotNil(t, c.Signing.Key, "a command line signs")

	for _, bad := range []struct{ signing, ring, want string }{
		{"hunter2", "w1:" + public, "HANDOVER_SIGNING_KEY: is not id:base64 of a private key of Ed25519, 32 bytes"},
		{"w1:" + base64.StdEncoding.EncodeToString(key), "w1:" + public, "HANDOVER_SIGNING_KEY: is not id:base64"},
		{"w1:" + private, "w1:hunter2", "HANDOVER_SIGNATURE_KEYS: key 1 is not id:base64 of a public key"},
		{"w1:" + private, "w1:" + public + ",w1:" + public, "HANDOVER_SIGNATURE_KEYS: key 2 is not"},
		{"w1:" + private, "", "HANDOVER_SIGNATURE_KEYS: is missing"},
		{"", "w1:" + public, "HANDOVER_SIGNING_KEY: is missing"},
		{"w2:" + private, "w1:" + public, "HANDOVER_SIGNATURE_KEYS: does not have the public key of HANDOVER_SIGNING_KEY"},
		{"w1:" + private, "w1:" + private, "HANDOVER_SIGNATURE_KEYS: does not have the public key of HANDOVER_SIGNING_KEY"},
	} {
		_, err := load(t, groups, with(bad.signing, bad.ring, "true"))
		require.ErrorContains(t, err, bad.want)
		for _, secret := range []string{"hunter2", private} {
			require.NotContains(t, err.Error(), secret)
		}
	}
}
