package api_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"handover/server/api"
)

// Whoever reads the document learns what every field means; a new field gets its
// words in words.go, or a doc tag.
func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	document := api.New(http.NewServeMux(), api.Options{}).OpenAPI()
	schemas := document.Components.Schemas.Map()
	require.NotEmpty(t, schemas)
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		for field, schema := range schemas[name].Properties {
			if schema.Ref == "" {
				assert.NotEmpty(t, schema.Description, "%s.%s", name, field)
			}
		}
	}
}

// Every operation belongs to a chapter that is explained.
func TestEveryTagIsExplained(t *testing.T) {
	t.Parallel()
	document := api.New(http.NewServeMux(), api.Options{}).OpenAPI()
	explained := map[string]bool{}
	for _, tag := range document.Tags {
		require.NotEmpty(t, tag.Description)
		explained[tag.Name] = true
	}
	for path, item := range document.Paths {
		for _, operation := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if operation != nil {
				require.Len(t, operation.Tags, 1, path)
				require.True(t, explained[operation.Tags[0]], "%s: what is %q?", path, operation.Tags[0])
			}
		}
	}
}
