// The console's keyboard shortcuts: to the search, to the next page or row, to the pages of the menu, to their list.
import { computed, onScopeDispose, type Ref } from "vue";
import { useRouter } from "vue-router";
import { usePreference } from "@/composables/preferences";
import { followKeys, pressButton, type Shortcut } from "@/console/layout/shortcuts";
import { menu } from "@/console/router";
import { session } from "@/console/session";

const MOST_PAGES = 9;

/** Whether one key alone may do something, which a person can turn off. */
export const useSingleKeys = () => usePreference("shortcuts", true);

export function useShortcuts(isHelpOpen: Ref<boolean>) {
  const router = useRouter();
  const areWanted = useSingleKeys();
  const pages = computed(() => (session.account.value?.next_step ? [] : menu().flatMap((group) => group.pages)));
  const own = computed<Shortcut[]>(() => [
    { keys: ["/"], what: "到查询条件的第一项", act: () => document.querySelector<HTMLInputElement>(".search-form input")?.focus() },
    { keys: ["]"], what: "列表的下一页；在详情中为下一条", act: () => turn("下一条", "下一页") },
    { keys: ["["], what: "列表的上一页；在详情中为上一条", act: () => turn("上一条", "上一页") },
    { keys: ["g", "0"], what: "打开业务工作台", act: () => void router.push("/") },
    ...pages.value.slice(0, MOST_PAGES).map(({ title, path }, place) => ({
      keys: ["g", String(place + 1)],
      what: `打开${title}`,
      act: () => void router.push(path),
    })),
  ]);
  const help: Shortcut = { keys: ["?"], what: "打开或关闭本列表", act: () => (isHelpOpen.value = !isHelpOpen.value) };

  onScopeDispose(
    followKeys(
      () => own.value,
      () => areWanted.value && !isAsking(),
    ),
  );
  onScopeDispose(
    followKeys(
      () => [help],
      () => isHelpOpen.value || (areWanted.value && !isAsking()),
    ),
  );
  return computed(() => [...own.value, help]);
}

/** Whether a dialog or a question is in front of the page; closed ones stay in the document, without a place. */
function isAsking(): boolean {
  const dialogs = [...document.querySelectorAll(".el-overlay-dialog, .el-overlay-message-box")];
  return dialogs.some((dialog) => dialog.getClientRects().length > 0);
}

function turn(ofDetails: string, ofList: string): void {
  if (document.querySelector(".el-drawer")) pressButton(ofDetails, ".el-drawer");
  else pressButton(ofList, ".pager");
}
