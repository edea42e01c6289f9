package e2e_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestComposeFile reads the file as docker compose would, as far as that goes
// without it.
func TestComposeFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docker-compose.yml")
	require.NoError(t, err)
	var file struct {
		Services map[string]struct {
			Image       string         `yaml:"image"`
			Build       string         `yaml:"build"`
			ReadOnly    bool           `yaml:"read_only"`
			CapDrop     []string       `yaml:"cap_drop"`
			SecurityOpt []string       `yaml:"security_opt"`
			Environment map[string]any `yaml:"environment"`
			Ports       []string       `yaml:"ports"`
			Volumes     []string       `yaml:"volumes"`
			DependsOn   map[string]struct {
				Condition string `yaml:"condition"`
			} `yaml:"depends_on"`
			Healthcheck map[string]any `yaml:"healthcheck"`
		} `yaml:"services"`
		Volumes map[string]any `yaml:"volumes"`
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.NotEmpty(t, file.Services)
	secret := regexp.MustCompile(`(?i)pass|pwd|secret|token|key`)
	for name, service := range file.Services {
		if service.Build == "" {
			require.Regexp(t, `^[a-z0-9./-]+:\d+(\.\d+)*(-[a-z0-9.]+)?$`, service.Image, "%s: the version is pinned", name)
		}
		require.Equal(t, []string{"ALL"}, service.CapDrop, name)
		require.Equal(t, []string{"no-new-privileges:true"}, service.SecurityOpt, name)
		require.Equal(t, service.Build != "", service.ReadOnly, "%s: what is ours writes no file", name)
		for variable, value := range service.Environment {
			if text, _ := value.(string); secret.MatchString(variable) {
				require.Regexp(t, `^\$\{[A-Z_]+:(\?.+|-)\}$`, text, "%s: %s comes from outside, and its absence is said or is no mistake", name, variable)
			} else {
				require.NotRegexp(t, `://[^/@]*:[^/@]*@`, text, "%s: %s has a password in it", name, variable)
			}
		}
		for _, port := range service.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s: %s is open to the network", name, port)
		}
		for _, volume := range service.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if strings.HasPrefix(source, "./") {
				require.FileExists(t, "../"+source)
			} else {
				require.Contains(t, file.Volumes, source)
			}
		}
		for other, on := range service.DependsOn {
			require.Contains(t, file.Services, other, name)
			if on.Condition == "service_healthy" {
				require.Contains(t, file.Services[other].Healthcheck, "test", "%s waits for the health of %s", name, other)
			}
		}
	}
}

// TestDockerfile: the image has nothing but our programs in it, which run as nobody.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Dockerfile")
	require.NoError(t, err)
	_, image, found := strings.Cut(string(text), "\nFROM scratch\n")
	require.True(t, found, "the last stage begins with nothing")
	require.NotContains(t, image, "\nFROM ")
	require.NotContains(t, image, "\nRUN ")
	require.Regexp(t, `(?m)^USER [1-9]\d*:[1-9]\d*$`, image, "by number: an orchestrator sees that it is not root")
	module, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(module)
	require.Contains(t, string(text), "ARG GO_VERSION="+string(version[1])+"\n", "it is built by the Go of go.mod")
}
