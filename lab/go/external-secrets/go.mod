module skillflaw.lab/external-secrets

go 1.26.4

require github.com/external-secrets/external-secrets v1.3.2
