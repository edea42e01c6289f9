package config_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"handover/internal/config"
)

func TestWebhookKeys(t *testing.T) {
	t.Parallel()
	key := func(c string) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, 32))) }
	with := func(keys string) environment {
		return environment{"HANDOVER_SECRET_KEY": keys, "HANDOVER_WEBHOOK_ALLOW_PRIVATE": "true"}
	}
	for _, group := range []config.Group{config.WorkerGroup, config.ServerGroup} {
		c, err := load(t, group, with(key("n")+", "+key("o")))
		require.NoError(t, err)
		require.True(t, c.Webhooks.AllowPrivate)
		require.Len(t, c.Webhooks.Keys, 2)
		require.Equal(t, strings.Repeat("n", 32), c.Webhooks.Keys[0].Reveal(), "the first one first")
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", c, c.Webhooks, c.Webhooks.Keys), "nnn")
	}
	c, err := load(t, config.WorkerGroup, environment{})
	require.NoError(t, err)
	require.Equal(t, config.Webhooks{}, c.Webhooks)
	for _, bad := range []string{"c2hvcnQ=", "hunter2-hunter2-hunter2-hunter2-hunter2", key("n") + ","} {
		_, err := load(t, config.WorkerGroup, with(bad))
		require.ErrorContains(t, err, "HANDOVER_SECRET_KEY: a key is not at least 32 bytes in base64")
		require.NotContains(t, err.Error(), bad)
	}
	_, err = load(t, config.WorkerGroup, environment{"HANDOVER_WEBHOOK_ALLOW_PRIVATE": "maybe"})
	require.ErrorContains(t, err, "HANDOVER_WEBHOOK_ALLOW_PRIVATE: ")
}
