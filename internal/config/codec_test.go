package config_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/config"
)

func TestPayloadKeys(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	c, err := load(t, config.TemporalGroup, environment{"HANDOVER_PAYLOAD_KEYS": "2027:" + key + ", 2026:" + key})
	require.NoError(t, err)
	require.NotNil(t, c.Temporal.DataConverter)
	require.NotNil(t, c.Temporal.FailureConverter)

	c, err = load(t, config.TemporalGroup, environment{})
	require.NoError(t, err)
	require.Nil(t, c.Temporal.DataConverter, "nothing is encrypted")

	short := base64.StdEncoding.EncodeToString([]byte("hunter2"))
	for keys, want := range map[string]string{
		key:                              "key 1 is not id:base64",
		"2026:" + key + ",2025:hunter2!": "key 2 is not id:base64",
		"2026:" + short:                  `key "2026": want 32 bytes`,
		"2026:" + key + ",2026:" + key:   `key "2026": want 32 bytes, and an ID that no other key has`,
	} {
		_, err := load(t, config.TemporalGroup, environment{"HANDOVER_PAYLOAD_KEYS": keys})
		require.ErrorContains(t, err, "HANDOVER_PAYLOAD_KEYS: "+want)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), key)
	}
}

func TestCodecReaders(t *testing.T) {
	t.Parallel()
	const groups = config.TemporalGroup | config.ServerGroup
	const owner = "01a20278-692b-7c5d-b98a-58f335062e5c"
	key := "2026:" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	c, err := load(t, groups, environment{
		"HANDOVER_PAYLOAD_KEYS": key, "HANDOVER_CODEC_READERS": owner, "HANDOVER_CODEC_ORIGIN": "https://temporal.example.com/",
	})
	require.NoError(t, err)
	require.Equal(t, []string{owner}, c.Server.Codec.Readers)
	require.Equal(t, "https://temporal.example.com", c.Server.Codec.Origin)
	require.NotNil(t, c.Server.Codec.Decoder)

	c, err = load(t, groups, environment{"HANDOVER_PAYLOAD_KEYS": key})
	require.NoError(t, err)
	require.Nil(t, c.Server.Codec.Decoder, "for nobody")

	_, err = load(t, groups, environment{"HANDOVER_CODEC_READERS": "m0169"})
	for _, want := range []string{`HANDOVER_CODEC_READERS: "m0169" is not the ID of a member`, "HANDOVER_CODEC_ORIGIN: is missing", "HANDOVER_PAYLOAD_KEYS: is missing"} {
		require.ErrorContains(t, err, want)
	}
}
