// @vitest-environment happy-dom
// Tests of the dialogs of this folder.
import SearchNameDialog from "@/console/audit/SearchNameDialog.vue";
import { describeDialog } from "@/testing/dialogs";

const filter = { action: "membership.sign_in", outcome: "refused" };
const saved = { search_id: "0192f0c0-0000-7000-8000-000000000aa1", name: "登录失败", filter };

describeDialog("a search that is saved", {
  dialog: SearchNameDialog,
  props: { entry: { filter } },
  opensBy: "entry",
  title: "保存查询",
  shows: { 名称: "" },
  refuses: { 名称: "请填写名称" },
  fills: { 名称: " 登录失败 " },
  sends: { method: "POST", path: "/api/v1/audit/searches", body: { name: "登录失败", filter } },
  answer: saved,
  problemAt: ["name", "名称"],
  tells: "查询已保存为“登录失败”",
  emits: "saved",
});

describeDialog("a search that is renamed", {
  dialog: SearchNameDialog,
  props: { entry: saved },
  opensBy: "entry",
  title: "修改查询名称",
  shows: { 名称: "登录失败" },
  empties: { 名称: "" },
  refuses: { 名称: "请填写名称" },
  fills: { 名称: "本月登录失败" },
  sends: { method: "PATCH", path: `/api/v1/audit/searches/${saved.search_id}`, body: { name: "本月登录失败" } },
  answer: saved,
  problemAt: ["name", "名称"],
  tells: "查询已改名",
  emits: "saved",
});
