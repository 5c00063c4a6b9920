"""The catalogue of programs and manifests, and how each is made."""

from lab.toolchain.golang import Manifests, Patch, Program

KUBERNETES = "1.36.3"
OTHER_KUBERNETES = ("1.30.14", "1.32.13", "1.34.4", "1.37.2")
"""Versions whose API servers must take the stacks' objects too: the oldest, the newest, and some between."""
PULUMI = "3.274.1"

MINOR = int(KUBERNETES.split(".")[1])
"""Minor version of the cluster's Kubernetes, 1.`MINOR`."""


def _version(kubernetes: str) -> dict[str, str]:
    """Variables by which a program of Kubernetes knows its version."""
    major, minor, _ = kubernetes.split(".")
    package = "k8s.io/component-base/version"
    return {
        f"{package}.gitVersion": f"v{kubernetes}",
        f"{package}.gitMajor": major,
        f"{package}.gitMinor": minor,
    }


_PULUMI_TAGS = "osusergo,grpcnotrace"
"""Build tags of the engine. Its providers have the same, and the same versions of what they share: it is compiled once."""
_CREATES_AS_4_29 = Patch(
    module="github.com/pulumi/pulumi-kubernetes/provider/v4",
    file="pkg/await/await.go",
    replaced=(
        (
            "if c.ServerSideApply {",
            'if c.ServerSideApply && (os.Getenv("PULUMI_K8S_UPSERT_EXISTING_OBJECTS") == "true" ||\n'
            "\t\t\t\tkinds.IsPatchResource(c.URN, c.Inputs.GetKind())) {",
        ),
        (
            "metav1.CreateOptions{\n\t\t\t\t\tFieldManager: c.FieldManager",
            'metav1.CreateOptions{\n\t\t\t\t\tFieldManager: "pulumi-kubernetes"',
        ),
    ),
)
"""The newest provider served silently takes over what exists already; from 4.29 on that is an error."""
PROGRAMS = {
    "kubernetes": Program(
        module="kubernetes",
        variables=_version(KUBERNETES),
        names=(
            "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl",
        ),
    ),
    "etcd": Program(module="kubernetes", package="go.etcd.io/etcd/server/v3"),
    "coredns": Program(module="kubernetes", package="./coredns"),
    "metrics-server": Program(module="kubernetes", package="sigs.k8s.io/metrics-server/cmd/metrics-server"),
    "local-path-provisioner": Program(module="kubernetes", package="github.com/rancher/local-path-provisioner"),
    "kube-router": Program(module="kubernetes", package="github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"),
    "kwok": Program(module="kubernetes", package="sigs.k8s.io/kwok/cmd/kwok"),
    "cert-manager": Program(module="cert-manager"),
    "pause": Program(module="pause"),
    "pulumi": Program(
        module="pulumi",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        variables={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": f"v{PULUMI}"},
        tags=_PULUMI_TAGS,
    ),
    "pulumi-resource-kubernetes": Program(
        module="pulumi-providers",
        package="./kubernetes",
        tags=_PULUMI_TAGS,
        variables={"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version": "4.25.0"},
        unoptimized="github.com/pulumi/pulumi-kubernetes/sdk/v4/go/...",
        patches=(_CREATES_AS_4_29,),
    ),
    "pulumi-resource-random": Program(module="pulumi-providers", package="./random", tags=_PULUMI_TAGS),
}  # fmt: skip
API_SERVERS = {
    version: Program(
        module=f"kube-apiserver-{version.rpartition('.')[0]}",
        package="k8s.io/kubernetes/cmd/kube-apiserver",
        variables=_version(version),
    )
    for version in OTHER_KUBERNETES
}
"""API servers by version; no lab needs them."""

ACME = {
    "pebble": Program(module="acme", package="github.com/letsencrypt/pebble/v2/cmd/pebble"),
    "cert-manager-acme": Program(module="acme", package="./cert-manager"),
    "acmesolver": Program(module="acme", package="./solver"),
}
"""An ACME server and what gets certificates from it; only a drill needs them."""

ACTIONLINT = Program(module="actionlint", package="github.com/rhysd/actionlint/cmd/actionlint")
"""Linter of workflows; no lab needs it, so `prepare` leaves it out."""

KUBE_SCORE = Program(module="kube-score", package="github.com/zegl/kube-score/cmd/kube-score")
"""Scanner of manifests; no lab needs it either."""

# Of all the services that targets are discovered by, Kubernetes alone.
_DISCOVERY = "remove_all_sd,enable_kubernetes_sd"
PROMTOOL = Program(
    module="prometheus", package="github.com/prometheus/prometheus/cmd/promtool", tags=_DISCOVERY
)
"""What evaluates alerts over given samples; no lab needs it."""

PROMETHEUS = {
    "prometheus": Program(
        module="prometheus", package="github.com/prometheus/prometheus/cmd/prometheus", tags=_DISCOVERY
    ),
    "prometheus-operator": Program(
        module="prometheus-operator",
        package="github.com/prometheus-operator/prometheus-operator/cmd/operator",
    ),
    "prometheus-config-reloader": Program(
        module="prometheus-operator",
        package="github.com/prometheus-operator/prometheus-operator/cmd/prometheus-config-reloader",
    ),
}
"""What scrapes and fires alerts; only a drill needs it."""

RESTIC = Program(module="restic", package="github.com/restic/restic/cmd/restic")
"""Keeper of backups; it stands in an image, not in the toolchain."""

OPERATOR = Program(module="cloudnative-pg", package="github.com/cloudnative-pg/cloudnative-pg/cmd/manager")
"""CloudNativePG's operator, which is its own instance manager too: for labs whose database it runs."""

OPERATOR_MANIFEST = Manifests(
    module="cloudnative-pg",
    path="github.com/cloudnative-pg/cloudnative-pg",
    files=("releases/cnpg-1.30.0.yaml",),
)

BARMAN_CLOUD = Program(
    module="barman-cloud", package="github.com/cloudnative-pg/plugin-barman-cloud/cmd/manager"
)
"""CloudNativePG's plugin that archives to an object store; it stands in an image, not in the toolchain."""

BARMAN_CLOUD_MANIFEST = Manifests(
    module="barman-cloud",
    path="github.com/cloudnative-pg/plugin-barman-cloud",
    files=("manifest.yaml",),
)

VERSITYGW = Program(module="versitygw", package="github.com/versity/versitygw/cmd/versitygw")
"""The API of S3 over a folder; only a drill needs it."""

MANIFESTS = {
    "gateway-api.yaml": Manifests(
        module="gateway-api", path="sigs.k8s.io/gateway-api", files=("config/crd/standard/*.yaml",)
    ),
    "cert-manager.yaml": Manifests(
        module="cert-manager", path="github.com/cert-manager/cert-manager", files=("deploy/crds/*.yaml",)
    ),
    "kwok-stages.yaml": Manifests(
        module="kubernetes",
        path="sigs.k8s.io/kwok",
        files=tuple(
            f"kustomize/stage/{part}/*.yaml"
            for part in ("node/fast", "node/heartbeat-with-lease", "pod/fast")
        ),
    ),
}
EXTERNAL_SECRETS = Manifests(
    module="external-secrets",
    path="github.com/external-secrets/external-secrets",
    files=("config/crds/bases/*.yaml",),
)
"""Definitions of External Secrets, against which the documentation is checked; its operator cannot be built here."""

PROMETHEUS_OPERATOR = Manifests(
    module="prometheus-operator",
    path="github.com/prometheus-operator/prometheus-operator",
    files=tuple(
        f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
        for kind in ("podmonitors", "prometheusrules")
    ),
)
"""Definitions of what Prometheus is asked for, against which the objects are checked."""

PROMETHEUS_BUNDLE = Manifests(
    module="prometheus-operator",
    path="github.com/prometheus-operator/prometheus-operator",
    files=("bundle.yaml",),
)
"""All of its definitions, and the operator itself."""
