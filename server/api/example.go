package api

import (
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	sampleID   = "01a1ffde-c038-72a2-abd3-2ee046c7cc2d"
	maxNesting = 8
)

var sampleTime = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Format(time.RFC3339)

// exampleOf makes an example of a schema from those of its fields.
func exampleOf(r huma.Registry, name string, s *huma.Schema, depth int) any {
	if s.Ref != "" {
		s = r.SchemaFromRef(s.Ref)
	}
	sample, known := samples[name]
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case known && s.Type == huma.TypeString:
		return sample
	case s.Default != nil:
		return s.Default
	}
	switch s.Type {
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	case huma.TypeArray:
		if depth == 0 {
			return []any{}
		}
		return []any{exampleOf(r, strings.TrimSuffix(name, "s"), s.Items, depth-1)}
	case huma.TypeString:
		switch {
		case s.Format == "date-time" || strings.HasSuffix(name, "_at"):
			return sampleTime
		case strings.HasSuffix(name, "id") || strings.HasSuffix(name, "_by") || s.Format == "uuid":
			return sampleID
		}
		return "text"
	case huma.TypeObject:
		out := map[string]any{}
		for field, of := range s.Properties {
			if field != "$schema" && depth > 0 {
				out[field] = exampleOf(r, field, of, depth-1)
			}
		}
		return out
	}
	return map[string]any{}
}
