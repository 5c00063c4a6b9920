"""What a stack file refers to and the cluster lacks, before the first `pulumi up`: by reading only."""
