// Short names for the API's responses, from the types that are generated from its OpenAPI document.
import type { components, paths } from "@/api/schema";

type Schemas = components["schemas"];

export type Account = Schemas["membership.AccountAnswer"];
export type AccountItem = Schemas["membership.AccountItem"];
export type NewAccount = Schemas["membership.NewAccountAnswer"];
export type PhoneChange = Schemas["membership.PhoneChangeAnswer"];
export type UnionChange = Schemas["membership.UnionChangeAnswer"];
export type UnionChangePreview = Schemas["membership.UnionChangePreview"];
export type UnionImport = Schemas["membership.UnionImportAnswer"];
export type Union = Schemas["membership.UnionAnswer"];
export type SavedSearch = Schemas["audit.SavedSearchAnswer"];
export type KeptFilter = Schemas["audit.KeptFilter"];
export type AuditEvent = Schemas["audit.ActAnswer"];
export type MySession = Schemas["membership.MySession"];
export type DeadLetter = Schemas["operators.DeadLetterAnswer"];
export type QueueDepth = Schemas["operators.QueueDepth"];
export type ServiceStatus = Schemas["operators.ServiceStatus"];
export type Overview = Schemas["overview.OverviewAnswer"];
export type MessageTemplate = Schemas["templates.TemplateItem"];
export type Alert = Schemas["overview.AlertAnswer"];
export type StatusChange = Schemas["overview.StatusChange"];
export type Captcha = Schemas["captchas.CaptchaAnswer"];
export type MemberItem = Schemas["membership.MemberItem"];
export type Member = Schemas["membership.MemberAnswer"];
export type FoundPersons = Schemas["membership.FindPersonAnswer"];
export type MemberFilter = Schemas["membership.MemberFilter"];
export type WholeNumbers = Schemas["membership.RevealedNumbers"];
export type Application = Schemas["membership.ApplicationAnswer"];
export type Import = Schemas["membership.ImportAnswer"];
export type ImportSheet = Import["sheets"][number];
export type ImportPreview = Schemas["membership.ImportPreviewAnswer"];
export type QueueResult = Schemas["membership.QueueMembersAnswer"];
export type Pending = Schemas["batching.PendingAnswer"];
export type PendingCounts = Schemas["batching.PendingCounts"];
export type Batch = Schemas["batching.BatchAnswer"];
export type BatchDetail = Schemas["batching.BatchDetailAnswer"];
export type PreparedSubmission = Schemas["batching.PreparedSubmission"];
export type Submitted = BatchDetail & { warnings: string[] };
export type BankTime = Schemas["batching.BankTime"];
export type Card = Schemas["cards.CardAnswer"];
export type CardStep = Schemas["membership.CardStepAnswer"];
export type Cover = Schemas["membership.Cover"];
export type Enrolment = Schemas["membership.EnrolmentAnswer"];
export type Enrolments = Schemas["membership.ListEnrolmentsAnswer"];
export type Delegation = Schemas["membership.DelegationAnswer"];
export type Transfer = Schemas["membership.TransferAnswer"];
export type Outlet = Schemas["batching.OutletAnswer"];
export type Branch = Schemas["batching.BranchAnswer"];
export type SubjectRequest = Schemas["membership.SubjectRequestAnswer"];
export type ResultFile = Schemas["bank_files.ResultFileAnswer"];
export type Message = Schemas["notification.MessageAnswer"];
export type Announcement = Schemas["notification.AnnouncementAnswer"];
export type Guide = Schemas["notification.GuideAnswer"];
export type Report = Schemas["reports.ReportAnswer"];
export type ReportRow = Schemas["reports.ReportRow"];
export type Figures = Schemas["reports.Figures"];
export type Summary = Schemas["summary.SummaryAnswer"];
export type Profile = Schemas["membership.PersonalProfileAnswer"];
export type PersonalApplication = Schemas["membership.PersonalApplicationAnswer"];
export type PersonalProgress = Schemas["batching.PersonalProgressAnswer"];
export type Revocation = Schemas["revocation.RevocationAnswer"];

/** A page of a list. */
export interface Page<Row> {
  items: Row[];
  page: number;
  size: number;
  total: number;
  total_is_exact: boolean;
}

/** The query of a GET path: `Query<"/api/v1/members">`. */
export type Query<Path extends keyof paths> = paths[Path] extends { get: { parameters: { query?: infer Given } } }
  ? NonNullable<Given>
  : never;

/** The body of a PATCH path: `Changes<"/api/v1/pending/{application_id}">`. */
export type Changes<Path extends keyof paths> = paths[Path] extends {
  patch: { requestBody?: { content: { "application/json": infer Given } } };
}
  ? Given
  : never;
