package export

// Code names a kind of finding. The list is closed and its members keep their
// meaning, so that other report formats and scripts can rely on them.
type Code string

// What the Node CLI checks, too. Each code stands for the texts of one group
// of checks in docs/verification.md.
const (
	CodeArtifactNotObject    Code = "artifact.not_object"
	CodeSchemaVersion        Code = "schema_version.unsupported"
	CodeKindNotString        Code = "export_kind.not_string"
	CodeKindUnsupported      Code = "export_kind.unsupported"
	CodeExportedAt           Code = "exported_at.invalid"
	CodeConfigNotObject      Code = "config.not_object"
	CodeConfigMismatch       Code = "config.mismatch"
	CodeStateNotObject       Code = "state.not_object"
	CodeStateMismatch        Code = "state.mismatch"
	CodeFilesNotObject       Code = "files.not_object"
	CodeEntryNotObject       Code = "files.entry_not_object"
	CodeFormat               Code = "files.format_unsupported"
	CodeBytesInvalid         Code = "files.bytes_invalid"
	CodeSHA256Invalid        Code = "files.sha256_invalid"
	CodeContentNull          Code = "files.content_null"
	CodeContentNotString     Code = "files.content_not_string"
	CodeTruncatedInvalid     Code = "files.truncated_invalid"
	CodeSkippedInvalid       Code = "files.skipped_invalid"
	CodeBytesMismatch        Code = "files.bytes_mismatch"
	CodeSHA256Mismatch       Code = "files.sha256_mismatch"
	CodeDataMismatch         Code = "files.data_mismatch"
	CodeInvalidJSON          Code = "files.invalid_json"
	CodeInvalidJSONL         Code = "files.invalid_jsonl"
	CodeProjectRoot          Code = "project_root.invalid"
	CodeProjectNotObject     Code = "project.not_object"
	CodeProjectMismatch      Code = "project.mismatch"
	CodeSummaryNotObject     Code = "summary.not_object"
	CodeWorkspace            Code = "workspace.invalid"
	CodeTurnIDs              Code = "summary.turn_ids_mismatch"
	CodeRunMismatch          Code = "summary.state_mismatch"
	CodePhaseOrder           Code = "summary.phase_order_invalid"
	CodePhaseUnlisted        Code = "summary.phase_unlisted"
	CodeCountMismatch        Code = "summary.count_mismatch"
	CodePresenceMismatch     Code = "summary.presence_mismatch"
	CodeDelegations          Code = "summary.delegations_mismatch"
	CodeRepoDecisions        Code = "summary.repo_decisions_mismatch"
	CodeDashboard            Code = "summary.dashboard_invalid"
	CodeWorkspaceRoot        Code = "workspace_root.invalid"
	CodeCoordinatorNotObject Code = "coordinator.not_object"
	CodeCoordinatorMismatch  Code = "coordinator.mismatch"
	CodeRepoStatusesMismatch Code = "summary.repo_statuses_mismatch"
	CodeReposNotObject       Code = "repos.not_object"
	CodeRepoInvalid          Code = "repos.entry_invalid"
	CodeEventsMismatch       Code = "summary.events_mismatch"
	CodeEventsFromFailedRepo Code = "summary.events_without_proof"
)

// What only this program reports.
const (
	// CodeWithheld is content that the bundle names without containing it.
	CodeWithheld Code = "files.withheld"
	// CodeNullRecord is a null where the Node CLI dies of it.
	CodeNullRecord Code = "files.null_record"
	// CodeNullRun is a null in repo_runs, likewise.
	CodeNullRun Code = "files.null_repo_run"
	// CodeAuditShape is a line of the audit that its schema does not describe.
	CodeAuditShape Code = "files.audit_shape"
	// CodeLimitSize and CodeLimitDepth are values that were not judged.
	CodeLimitSize  Code = "limit.size"
	CodeLimitDepth Code = "limit.depth"
	// CodeLimitFindings stands for findings beyond the 10,000th of a severity.
	CodeLimitFindings Code = "limit.findings"
)

// What [VerifyOptions].Strict adds.
const (
	CodeStrictBase64       Code = "strict.base64"
	CodeStrictDate         Code = "strict.date"
	CodeStrictDuplicateKey Code = "strict.duplicate_key"
	CodeStrictUTF8         Code = "strict.utf8"
	CodeStrictPath         Code = "strict.path"
	CodeStrictUnknownKey   Code = "strict.unknown_key"
	CodeStrictInteger      Code = "strict.integer"
)
