"""The backend as SkillFlaw's production guide writes it, on the lab's stack: the same image, state and configuration."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from tests.live.namespace import NAME, NAMESPACE

HOST = "guide.skillflaw.test"
DEPLOYMENT = "guide-backend"
SELECTOR = f"app={DEPLOYMENT}"
# Section 2 of the guide, but for names; what has no field here has none there: no preStop, grace, budget, spread or startup.
MANIFESTS = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {DEPLOYMENT}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {DEPLOYMENT}}}}}
  template:
    metadata: {{labels: {{app: {DEPLOYMENT}}}}}
    spec:
      containers:
        - name: backend
          ports: [{{containerPort: 7860}}]
          readinessProbe: {{httpGet: {{path: /health, port: 7860}}}}
          livenessProbe: {{httpGet: {{path: /health, port: 7860}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {DEPLOYMENT}}}
spec:
  selector: {{app: {DEPLOYMENT}}}
  ports: [{{name: http, port: 7860, targetPort: 7860}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {DEPLOYMENT}
  annotations:
    cert-manager.io/cluster-issuer: lab
    traefik.ingress.kubernetes.io/router.entrypoints: websecure
    traefik.ingress.kubernetes.io/router.tls: "true"
spec:
  ingressClassName: traefik
  tls: [{{hosts: [{HOST}], secretName: {DEPLOYMENT}}}]
  rules:
    - host: {HOST}
      http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {DEPLOYMENT}, port: {{number: 7860}}}}}}}}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {DEPLOYMENT}}}
spec:
  podSelector: {{matchLabels: {{app: {DEPLOYMENT}}}}}
  policyTypes: [Ingress, Egress]
  ingress: [{{}}]
  egress: [{{}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {DEPLOYMENT}-state}}
spec:
  podSelector: {{}}
  policyTypes: [Ingress]
  ingress: [{{from: [{{podSelector: {{matchLabels: {{app: {DEPLOYMENT}}}}}}}]}}]
"""


@contextmanager
def running(kubectl) -> Iterator[None]:
    """Two replicas of it next to the stack's own, ready; gone after the block."""
    deployment, *others = yaml.safe_load_all(MANIFESTS)
    own = json.loads(kubectl("get", "deployment/skillflaw-backend", NAMESPACE, "--output=json"))
    pod = own["spec"]["template"]["spec"]
    (ours,) = pod["containers"]
    theirs = deployment["spec"]["template"]["spec"]
    # What connects it to the state, and what the namespace's Pod Security asks for.
    theirs |= {key: pod[key] for key in ("securityContext", "volumes")}
    for key in ("image", "env", "volumeMounts", "resources", "securityContext"):
        theirs["containers"][0][key] = ours[key]
    # A copy: the stack's own goes with the next `up` that changes it.
    (config,) = (row["configMapRef"]["name"] for row in ours["envFrom"])
    found = json.loads(kubectl("get", "configmap", config, NAMESPACE, "--output=json"))
    copy = {key: found[key] for key in ("apiVersion", "kind", "data")} | {"metadata": {"name": DEPLOYMENT}}
    theirs["containers"][0]["envFrom"] = [{"configMapRef": {"name": DEPLOYMENT}}]
    items = {"apiVersion": "v1", "kind": "List", "items": [copy, deployment, *others]}
    manifests = json.dumps(items)
    try:
        kubectl("apply", f"--namespace={NAME}", "--filename=-", stdin=manifests)
        kubectl("wait", f"certificate/{DEPLOYMENT}", NAMESPACE, "--for=condition=Ready", "--timeout=60s")
        kubectl("rollout", "status", f"deployment/{DEPLOYMENT}", NAMESPACE, "--timeout=300s")
        yield
    finally:
        kubectl("delete", f"--namespace={NAME}", "--ignore-not-found", "--filename=-", stdin=manifests)
        kubectl("wait", "pods", NAMESPACE, f"--selector={SELECTOR}", "--for=delete", "--timeout=120s")
