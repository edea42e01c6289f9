// Package codec encrypts what Handover gives to Temporal: inputs, results, messages,
// memos and errors. Temporal keeps what it cannot read.
//
// The scheme is that of Temporal's own samples, so that a program in any language that
// has a key can talk to a case: a payload is marshaled, sealed by AES-256-GCM under a
// new nonce, which stands before it, and kept with the encoding "binary/encrypted" and
// the key's ID. What is not encrypted is read as it is.
package codec

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

const (
	encrypted = "binary/encrypted"
	keyID     = "encryption-key-id"
)

// Key is a key and the ID by which payloads name it.
type Key struct {
	ID     string
	Secret []byte
}

// Codec encrypts under its first key and decrypts under all of them.
type Codec struct {
	newest string
	keys   map[string]cipher.AEAD
}

// New returns a codec, the first key is for new payloads.
func New(keys ...Key) (*Codec, error) {
	if len(keys) == 0 {
		return nil, errors.New("there is no key")
	}
	c := &Codec{newest: keys[0].ID, keys: map[string]cipher.AEAD{}}
	for _, k := range keys {
		if _, twice := c.keys[k.ID]; twice || k.ID == "" || len(k.Secret) != KeySize {
			return nil, fmt.Errorf("key %q: want %d bytes, and an ID that no other key has", k.ID, KeySize)
		}
		block, err := aes.NewCipher(k.Secret)
		if err != nil {
			return nil, err
		}
		if c.keys[k.ID], err = cipher.NewGCM(block); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Apply makes a connection to Temporal encrypt, errors and their traces too.
func (c *Codec) Apply(o *client.Options) {
	o.DataConverter = converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c)
	o.FailureConverter = temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: o.DataConverter, EncodeCommonAttributes: true,
	})
}

// Encode encrypts payloads.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return each(payloads, c.seal)
}

// Decode decrypts those that are encrypted.
func (c *Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	return each(payloads, c.open)
}

func each(payloads []*commonpb.Payload, do func(*commonpb.Payload) (*commonpb.Payload, error)) ([]*commonpb.Payload, error) {
	out := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		var err error
		if out[i], err = do(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *Codec) seal(p *commonpb.Payload) (*commonpb.Payload, error) {
	if isEncrypted(p) {
		return p, nil
	}
	plain, err := proto.Marshal(p)
	if err != nil {
		return nil, err
	}
	key := c.keys[c.newest]
	nonce := make([]byte, key.NonceSize(), key.NonceSize()+len(plain)+key.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return &commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encrypted), keyID: []byte(c.newest)},
		Data:     key.Seal(nonce, nonce, plain, nil),
	}, nil
}

func (c *Codec) open(p *commonpb.Payload) (*commonpb.Payload, error) {
	if !isEncrypted(p) {
		return p, nil
	}
	id := string(p.GetMetadata()[keyID])
	key, known := c.keys[id]
	if !known {
		return nil, fmt.Errorf("the payload is encrypted by a key that is not known here: %q", id)
	}
	data := p.GetData()
	if len(data) < key.NonceSize() {
		return nil, errors.New("the payload is too short to be encrypted")
	}
	plain, err := key.Open(nil, data[:key.NonceSize()], data[key.NonceSize():], nil)
	if err != nil {
		return nil, fmt.Errorf("the payload was changed, or its key %q is another one", id)
	}
	var out commonpb.Payload
	if err := proto.Unmarshal(plain, &out); err != nil {
		return nil, errors.New("what was encrypted is no payload")
	}
	return &out, nil
}

func isEncrypted(p *commonpb.Payload) bool {
	return string(p.GetMetadata()[converter.MetadataEncoding]) == encrypted
}
