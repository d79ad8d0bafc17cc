// Starts the console of clerks, reviewers and administrators.
import "element-plus/theme-chalk/base.css";
import "@/styles/tokens.css";
import "@/styles/base.css";
import "@/styles/first.css";
import "@/styles/element.css";
import "@/styles/dark.css";
import "@/styles/print.css";
import { createApp } from "vue";
import App from "@/console/App.vue";
import { router } from "@/console/router";

createApp(App).use(router).mount("#app");
