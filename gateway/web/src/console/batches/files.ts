// The files of a batch: register 清册 and attachments 需打印附件.
import { notifyProblem } from "@/composables/confirm";
import { useMutation } from "@/composables/useMutation";
import { save } from "@/api/client";

export const registerPath = (batch_no: string, form: "pdf" | "xlsx") => `/api/v1/batches/${batch_no}/register.${form}`;

/** Saves files one after another, and shows the problem as a notification. */
export function useFileDownload() {
  const saving = useMutation(async (_key, paths: readonly string[]) => {
    for (const path of paths) await save(path);
    return true;
  });

  async function run(paths: readonly string[]): Promise<void> {
    await saving.run(paths);
    if (saving.problem.value) notifyProblem(saving.problem.value);
  }

  return {
    isRunning: saving.isRunning,
    saveAttachments: (batch_nos: readonly string[]) => run(batch_nos.map((no) => `/api/v1/batches/${no}/attachments.zip`)),
    saveRegister: (batch_no: string, form: "pdf" | "xlsx") => run([registerPath(batch_no, form)]),
  };
}
