package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"handover/internal/codec"
)

func key(id string, b byte) codec.Key {
	return codec.Key{ID: id, Secret: bytes.Repeat([]byte{b}, codec.KeySize)}
}

func newCodec(t *testing.T, keys ...codec.Key) *codec.Codec {
	t.Helper()
	c, err := codec.New(keys...)
	require.NoError(t, err)
	return c
}

func payloads(t *testing.T, values ...any) []*commonpb.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayloads(values...)
	require.NoError(t, err)
	return p.GetPayloads()
}

func TestWhatIsEncryptedComesBack(t *testing.T) {
	t.Parallel()
	c := newCodec(t, key("a", 1))
	plain := payloads(t, map[string]string{"member_id": "m0008"}, nil, []byte("bytes"))
	sealed, err := c.Encode(plain)
	require.NoError(t, err)
	for _, p := range sealed {
		require.NotContains(t, string(p.GetData()), "m0008")
		require.Equal(t, "a", string(p.GetMetadata()["encryption-key-id"]))
	}
	again, err := c.Encode(plain)
	require.NoError(t, err)
	require.NotEqual(t, sealed[0].GetData(), again[0].GetData(), "a new nonce each time")
	twice, err := c.Encode(sealed)
	require.NoError(t, err)
	require.Equal(t, sealed, twice, "what is encrypted stays as it is")
	back, err := c.Decode(sealed)
	require.NoError(t, err)
	for i := range plain {
		require.True(t, proto.Equal(plain[i], back[i]))
	}
}

// A case that was started before encryption was switched on goes on.
func TestWhatIsPlainIsReadAsItIs(t *testing.T) {
	t.Parallel()
	plain := payloads(t, "plain")
	back, err := newCodec(t, key("a", 1)).Decode(plain)
	require.NoError(t, err)
	require.True(t, proto.Equal(plain[0], back[0]))
}

func TestKeysRotateByID(t *testing.T) {
	t.Parallel()
	old := newCodec(t, key("2025", 1))
	both := newCodec(t, key("2026", 2), key("2025", 1))
	sealed, err := old.Encode(payloads(t, "from last year"))
	require.NoError(t, err)
	_, err = both.Decode(sealed)
	require.NoError(t, err)
	renewed, err := both.Encode(payloads(t, "from this year"))
	require.NoError(t, err)
	require.Equal(t, "2026", string(renewed[0].GetMetadata()["encryption-key-id"]))
	_, err = old.Decode(renewed)
	require.EqualError(t, err, `the payload is encrypted by a key that is not known here: "2026"`)
}

func TestWhatWasChangedIsNotRead(t *testing.T) {
	t.Parallel()
	c := newCodec(t, key("a", 1))
	for name, change := range map[string]func(*commonpb.Payload){
		"a bit":      func(p *commonpb.Payload) { p.Data[len(p.Data)-1] ^= 1 },
		"the nonce":  func(p *commonpb.Payload) { p.Data[0] ^= 1 },
		"cut":        func(p *commonpb.Payload) { p.Data = p.Data[:len(p.Data)-1] },
		"nearly all": func(p *commonpb.Payload) { p.Data = p.Data[:3] },
	} {
		sealed, err := c.Encode(payloads(t, "text"))
		require.NoError(t, err)
		change(sealed[0])
		_, err = c.Decode(sealed)
		require.Error(t, err, name)
	}
	sealed, err := c.Encode(payloads(t, "text"))
	require.NoError(t, err)
	_, err = newCodec(t, key("a", 2)).Decode(sealed)
	require.ErrorContains(t, err, "or its key")
}

func TestKeysThatAreNone(t *testing.T) {
	t.Parallel()
	for _, keys := range [][]codec.Key{nil, {{ID: "", Secret: make([]byte, 32)}}, {{ID: "short", Secret: make([]byte, 16)}}, {key("a", 1), key("a", 2)}} {
		_, err := codec.New(keys...)
		require.Error(t, err)
	}
}

// Errors say what happened too: their text is encrypted like everything else.
func TestErrorsAreEncrypted(t *testing.T) {
	t.Parallel()
	var o client.Options
	newCodec(t, key("a", 1)).Apply(&o)
	failure := o.FailureConverter.ErrorToFailure(errors.New("m0008 is not there"))
	require.NotContains(t, failure.String(), "m0008")
	require.ErrorContains(t, o.FailureConverter.FailureToError(failure), "m0008 is not there")
}
