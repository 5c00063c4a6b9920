// Kubernetes resource provider for Pulumi. The schema that the official build
// embeds serves SDK generation only; up, preview, refresh and destroy need its
// name and version and nothing else.
package main

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

func main() {
	schema := fmt.Sprintf(`{"name":"kubernetes","version":%q}`, version.Version)
	provider.Serve("kubernetes", version.Version, []byte(schema), nil)
}
